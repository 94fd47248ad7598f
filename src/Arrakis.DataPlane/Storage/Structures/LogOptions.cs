namespace Arrakis;

/// <summary>How a <see cref="PersistentLog"/> uses its area.</summary>
public sealed record LogOptions
{
    /// <summary>
    /// Writes that are under way at once, 1 to 64. The log holds one buffer of the area more than that. Only full buffers go out beside
    /// another write; a buffer that is not full waits for the writes before it, and takes what is appended meanwhile.
    /// </summary>
    public int MaxWritesInFlight { get; init; } = 4;
}
