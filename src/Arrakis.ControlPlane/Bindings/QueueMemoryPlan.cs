using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Native.Memory;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.ControlPlane.Bindings;

/// <summary>Where rings and buffers lie in queue memory: rings first, buffers page aligned after them, an equal part for each queue pair or block queue.</summary>
/// <param name="Rings">Receive and transmit ring of each queue pair; the ring of each block queue.</param>
/// <param name="BufferOffset">First byte of the buffers.</param>
/// <param name="BufferLength">Bytes of all of them.</param>
internal sealed record QueueMemoryPlan(IReadOnlyList<RingLayout> Rings, long BufferOffset, long BufferLength)
{
    /// <summary>
    /// Bytes of a packet buffer: an odd number of cache lines. With a power of two the first lines of all buffers would share a few
    /// sets of the caches and drive each other out.
    /// </summary>
    internal const int BufferSize = 2048 + 64;

    /// <summary>Device address of the first byte.</summary>
    internal const ulong IovaBase = 0x1_0000_0000;

    private const int MaxBuffers = 1 << 20;
    private const int MinBlockQueueSize = 4; // A virtio-blk request takes three descriptors.
    private const int MaxBlockBufferSize = 1 << 20;

    /// <summary>Of each block queue, where its commands have their memory.</summary>
    internal IReadOnlyList<long> CommandAreas { get; init; } = [];

    /// <summary>Bytes that are charged: whole hugepages, which the memory has wherever there are enough.</summary>
    internal long ChargedLength => Charge(Length);

    /// <summary>Bytes that are needed.</summary>
    internal long Length => BufferOffset + BufferLength;

    /// <summary>What a length is charged as.</summary>
    internal static long Charge(long length) => RoundUp(length, MemoryFile.HugePageSize);

    /// <summary>Plans for a request.</summary>
    /// <exception cref="ArrakisException">Its numbers make no sense.</exception>
    internal static QueueMemoryPlan For(BindNicRequest request) => For(request, request.RingFormat);

    /// <summary>Plans for a request to a device that has rings of its own.</summary>
    /// <exception cref="ArrakisException">Its numbers make no sense.</exception>
    internal static QueueMemoryPlan For(BindNicRequest request, RingFormat format)
    {
        if (format == RingFormat.Igb && !RingLayout.IsValidQueueSize(format, request.QueueSize))
        {
            throw new ArrakisException(ErrorCode.QueuesExhausted, $"A ring of {request.QueueSize} descriptors cannot be on this device.", $"Ask for a power of two from {RingLayout.MinIgbQueueSize} to {RingLayout.MaxIgbQueueSize}.");
        }

        if (!RingLayout.IsValidQueueSize(request.QueueSize))
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, $"A ring of {request.QueueSize} descriptors cannot be.", "Ask for a power of two from 2 to 32768.");
        }

        if (request.QueuePairs is < 1 or > ControlProtocol.MaxQueuePairs)
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, $"{request.QueuePairs} queue pairs cannot be.", $"Ask for 1 to {ControlProtocol.MaxQueuePairs}.");
        }

        if (request.RingFormat is not (RingFormat.Split or RingFormat.Packed))
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, $"{request.RingFormat} rings are asked for.", "Ask for split or packed rings; a device that has others gives those whatever is asked for.");
        }

        if (request.RingFormat == RingFormat.Packed && (request.Features & VirtioFeatures.RingPacked) == 0)
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, "Packed rings are asked for without the feature RingPacked.", "Ask for split rings, or name the feature.");
        }

        if (request.Buffers is < 2 or > MaxBuffers)
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, $"{request.Buffers} packet buffers cannot be.", $"Ask for 2 to {MaxBuffers} for each queue pair.");
        }

        var rings = new RingLayout[2 * request.QueuePairs];
        long end = 0;
        for (int i = 0; i < rings.Length; i++)
        {
            rings[i] = RingLayout.At(format, end, request.QueueSize);
            end = rings[i].End;
        }

        return new QueueMemoryPlan(rings, RoundUp(end, MemoryFile.BasePageSize), (long)request.QueuePairs * request.Buffers * BufferSize);
    }

    /// <summary>Plans for a storage binding.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="format">The device's rings.</param>
    /// <param name="maxTransferLength">The most bytes of one request.</param>
    /// <exception cref="ArrakisException">Its numbers make no sense.</exception>
    internal static QueueMemoryPlan For(BindStorageRequest request, RingFormat format, int maxTransferLength)
    {
        if (!RingLayout.IsValidQueueSize(format, request.QueueSize) || request.QueueSize < MinBlockQueueSize)
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, $"A block queue of {request.QueueSize} entries cannot be.", $"Ask for a power of two from {MinBlockQueueSize} to {RingLayout.MaxQueueSize}.");
        }

        if (request.Queues is < 1 or > ControlProtocol.MaxQueuePairs)
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, $"{request.Queues} block queues cannot be.", $"Ask for 1 to {ControlProtocol.MaxQueuePairs}.");
        }

        if (request.BufferSize is < MemoryFile.BasePageSize or > MaxBlockBufferSize || request.BufferSize % MemoryFile.BasePageSize != 0)
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, $"Data buffers of {request.BufferSize} bytes cannot be.", $"Ask for a multiple of {MemoryFile.BasePageSize}, to {MaxBlockBufferSize}.");
        }

        if (request.Buffers is < 1 or > MaxBuffers)
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, $"{request.Buffers} data buffers cannot be.", $"Ask for 1 to {MaxBuffers} for each queue.");
        }

        var rings = new RingLayout[request.Queues];
        long[] commandAreas = new long[request.Queues];
        long end = 0;
        for (int i = 0; i < rings.Length; i++)
        {
            var queue = BlockQueueLayout.At(format, end, request.QueueSize, maxTransferLength);
            (rings[i], commandAreas[i], end) = (queue.Ring, queue.CommandArea, queue.End);
        }

        return new QueueMemoryPlan(rings, RoundUp(end, MemoryFile.BasePageSize), (long)request.Queues * request.Buffers * request.BufferSize) { CommandAreas = commandAreas };
    }

    private static long RoundUp(long value, long unit) => (value + unit - 1) / unit * unit;
}
