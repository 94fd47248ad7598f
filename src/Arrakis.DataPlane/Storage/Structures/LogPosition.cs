namespace Arrakis;

/// <summary>
/// A place in a <see cref="PersistentLog"/>: bytes since its start, counted over blocks with their headers. Later records have greater
/// positions; a position is never used twice in a log's life.
/// </summary>
/// <param name="Value">The count.</param>
public readonly record struct LogPosition(long Value) : IComparable<LogPosition>
{
    /// <inheritdoc/>
    public int CompareTo(LogPosition other) => Value.CompareTo(other.Value);

    /// <summary>Whether one is before the other.</summary>
    public static bool operator <(LogPosition left, LogPosition right) => left.Value < right.Value;

    /// <summary>Whether one is after the other.</summary>
    public static bool operator >(LogPosition left, LogPosition right) => left.Value > right.Value;

    /// <summary>Whether one is not after the other.</summary>
    public static bool operator <=(LogPosition left, LogPosition right) => left.Value <= right.Value;

    /// <summary>Whether one is not before the other.</summary>
    public static bool operator >=(LogPosition left, LogPosition right) => left.Value >= right.Value;

    /// <inheritdoc/>
    public override string ToString() => FormattableString.Invariant($"{Value}");
}
