namespace Arrakis;

/// <summary>A record of a <see cref="PersistentLog"/>, checked.</summary>
/// <param name="Position">Where it begins.</param>
/// <param name="Data">Its bytes, until the next record is asked for.</param>
public readonly record struct LogRecord(LogPosition Position, ReadOnlyMemory<byte> Data)
{
    /// <summary>Whether it is a record of a structure that stands on the log, and not of its user.</summary>
    internal bool IsMark { get; init; }
}
