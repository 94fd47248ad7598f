using System.Runtime.CompilerServices;
using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.Wire.Igb;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Rings;

/// <summary>
/// A transmit queue of an Intel 82576 function: one ring of advanced descriptors (datasheet §7.2.2), used in their order, and a
/// tail register. Only some descriptors ask for a report, DD; with one of them all before it are done. The device writes
/// nothing else, so nothing that it writes can be wrong.
/// </summary>
internal sealed unsafe class IgbTransmitRing : TransmitRing
{
    // The most frames that wait for one report.
    private const int ReportDistance = 32;

    private const ulong Command = IgbTransmitDescriptor.Data | IgbTransmitDescriptor.Extended | IgbTransmitDescriptor.InsertCheckSequence;

    private readonly byte* _ring;
    private readonly Doorbell _doorbell;
    private readonly ushort[] _reports; // Positions of descriptors that ask for a report and were not seen to have it.
    private readonly uint _mask;
    private uint _asked; // Reports, counted.
    private uint _seen;
    private uint _tail; // The position after the last one that the device was told of.
    private uint _next; // The position of the first frame under way.

    public IgbTransmitRing(DmaRegion region, PacketPool pool, QueueGrant queue, VirtioFeatures features, Doorbell doorbell)
        : base(pool, queue.Ring, features)
    {
        _ring = region.At(queue.Ring.DescriptorArea, queue.Ring.DescriptorAreaLength);
        _doorbell = doorbell;
        _mask = (uint)Size - 1;
        _reports = new ushort[Size];
        if ((features & VirtioFeatures.NetChecksum) != 0)
        {
            // The one context of all frames that leave something to the device: the queue keeps it.
            Write(0, IgbTransmitContext.UdpOverIpv4Lengths, IgbTransmitContext.UdpOverIpv4);
            _tail = _next = SkipIds(1);
        }
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Flush()
    {
        int count = PostedCount;
        if (count == 0)
        {
            return;
        }

        PostedCount = 0;
        BufferDescriptor[] posted = Posted;
        int unreported = 0;
        for (int i = 0; i < count; i++)
        {
            ref readonly BufferDescriptor first = ref posted[i];
            ulong options = first.Length;
            for (int j = i; posted[j].HasNext; j++)
            {
                options += posted[j + 1].Length;
            }

            options <<= IgbTransmitDescriptor.PayloadLengthShift;
            if ((first.Flags & LeavesChecksum) != 0)
            {
                options |= IgbTransmitDescriptor.InsertTransportChecksum;
            }

            for (; posted[i].HasNext; i++)
            {
                Write(posted[i].Id, posted[i].Address.Value, options | Command | posted[i].Length);
            }

            ulong end = IgbTransmitDescriptor.EndOfPacket;
            if (++unreported == ReportDistance || i == count - 1)
            {
                end |= IgbTransmitDescriptor.ReportStatus;
                _reports[_asked++ & _mask] = posted[i].Id;
                unreported = 0;
            }

            Write(posted[i].Id, posted[i].Address.Value, options | Command | end | posted[i].Length);
        }

        _tail = posted[count - 1].Id + 1u & _mask;
        _doorbell.Ring(_tail);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override int Reclaim()
    {
        int frames = 0;
        while (_seen != _asked && IsReported())
        {
            uint end = _reports[_seen++ & _mask] + 1u & _mask;
            uint next = _next;
            do
            {
                // A frame takes as many descriptors as it frees.
                int before = FreeCount;
                Free(next);
                next = next + (uint)(FreeCount - before) & _mask;
                frames++;
            }
            while (next != end);

            _next = end;
        }

        return frames;
    }

    /// <inheritdoc/>
    public override bool TryArmEvents()
    {
        // As of a receive ring.
        _doorbell.ArmEvent();

        // Full barrier: this side looks after it has asked.
        Interlocked.MemoryBarrier();
        return _seen == _asked || !IsReported();
    }

    /// <inheritdoc/>
    public override void DisarmEvents()
    {
        // As of a receive ring.
    }

    /// <inheritdoc/>
    public override void RingDoorbell() => _doorbell.Ring(_tail);

    // Acquire: the buffers are written again only after it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool IsReported() =>
        (Volatile.Read(ref *(ulong*)(_ring + (nint)_reports[_seen & _mask] * IgbTransmitDescriptor.Size + IgbTransmitDescriptor.CommandOffset))
            & IgbTransmitDescriptor.Done) != 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Write(uint position, ulong first, ulong second)
    {
        byte* at = _ring + (nint)(position & _mask) * IgbTransmitDescriptor.Size;
        Volatile.Write(ref *(ulong*)at, first);
        Volatile.Write(ref *(ulong*)(at + IgbTransmitDescriptor.CommandOffset), second);
    }
}
