using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Native.Memory;
using Arrakis.Wire.Virtio;

namespace Arrakis.ControlPlane.Bindings;

/// <summary>Where rings and buffers lie in queue memory: rings first, buffers page aligned after them.</summary>
internal sealed record QueueMemoryPlan(VirtqueueLayout Receive, VirtqueueLayout Transmit, long BufferOffset, long BufferLength)
{
    /// <summary>
    /// Bytes of a buffer: an odd number of cache lines. With a power of two the first lines of all buffers would share a few
    /// sets of the caches and drive each other out.
    /// </summary>
    internal const int BufferSize = 2048 + 64;

    /// <summary>Device address of the first byte.</summary>
    internal const ulong IovaBase = 0x1_0000_0000;

    private const int MaxBuffers = 1 << 20;

    /// <summary>Bytes that are charged: whole hugepages, which the memory has wherever there are enough.</summary>
    internal long ChargedLength => Charge(Length);

    /// <summary>Bytes that are needed.</summary>
    internal long Length => BufferOffset + BufferLength;

    /// <summary>What a length is charged as.</summary>
    internal static long Charge(long length) => RoundUp(length, MemoryFile.HugePageSize);

    /// <summary>Plans for a request.</summary>
    /// <exception cref="ArrakisException">Its numbers make no sense.</exception>
    internal static QueueMemoryPlan For(BindNicRequest request)
    {
        if (!VirtqueueLayout.IsValidQueueSize(request.QueueSize))
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, $"A ring of {request.QueueSize} descriptors cannot be.", "Ask for a power of two from 2 to 32768.");
        }

        if (request.RingFormat == VirtqueueFormat.Packed && (request.Features & VirtioFeatures.RingPacked) == 0)
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, "Packed rings are asked for without the feature RingPacked.", "Ask for split rings, or name the feature.");
        }

        if (request.Buffers is < 2 or > MaxBuffers)
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, $"{request.Buffers} packet buffers cannot be.", $"Ask for 2 to {MaxBuffers}.");
        }

        VirtqueueLayout receive = VirtqueueLayout.At(request.RingFormat, 0, request.QueueSize);
        VirtqueueLayout transmit = VirtqueueLayout.At(request.RingFormat, receive.End, request.QueueSize);
        return new QueueMemoryPlan(receive, transmit, RoundUp(transmit.End, MemoryFile.BasePageSize), (long)request.Buffers * BufferSize);
    }

    private static long RoundUp(long value, long unit) => (value + unit - 1) / unit * unit;
}
