using Arrakis.Contract;

namespace Arrakis;

/// <summary>What is wanted of a storage area. What is left out is chosen by the daemon within its policy.</summary>
public sealed record StorageRequest
{
    /// <summary>The area's name.</summary>
    public required string Area { get; init; }

    /// <summary>What is to be done with it.</summary>
    public AreaAccess Access { get; init; } = AreaAccess.ReadWrite;

    /// <summary>Entries of each queue: a power of two, 4 to 32768.</summary>
    public int QueueSize { get; init; } = 256;

    /// <summary>Queues, 1 to 8. Each is a <see cref="BlockQueue"/>, polled by a thread or a reactor of its own.</summary>
    public int Queues { get; init; } = 1;

    /// <summary>Data buffers of each queue.</summary>
    public int Buffers { get; init; } = 256;

    /// <summary>Bytes of a buffer: a multiple of 4096, up to 1 MiB.</summary>
    public int BufferSize { get; init; } = 4096;

    /// <summary>How long the device may take for a request before it fails with <see cref="BlockStatus.TimedOut"/>; up to a quarter longer in fact.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Called when the control plane asks for the binding back by a deadline. Disposing the binding gives it back; past
    /// the deadline it is taken by force.
    /// </summary>
    public Func<RevocationRequest, StorageBinding, ValueTask>? OnRevocationRequested { get; init; }
}
