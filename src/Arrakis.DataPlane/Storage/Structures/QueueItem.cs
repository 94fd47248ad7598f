namespace Arrakis;

/// <summary>An item of a <see cref="PersistentQueue"/>.</summary>
/// <param name="Position">What it is acknowledged by.</param>
/// <param name="Data">Its bytes, until the next item is dequeued.</param>
public readonly record struct QueueItem(LogPosition Position, ReadOnlyMemory<byte> Data);
