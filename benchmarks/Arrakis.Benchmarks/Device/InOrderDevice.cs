using Arrakis.Native.Memory;
using Arrakis.Wire.Igb;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.Benchmarks.Device;

/// <summary>
/// The device's side of a ring with VIRTIO_F_IN_ORDER, as cheap as can be: one used entry for a batch (virtio 1.2 §2.7.9,
/// §2.8.9), so that what is measured is the driver. An 82576 has to write each received descriptor, but of sent ones only that
/// which asks for a report.
/// </summary>
internal sealed class InOrderDevice(MemoryMapping memory, RingLayout ring, bool isWriter)
{
    private const uint UsedFlags = DescriptorFlags.Available | DescriptorFlags.Used;

    private readonly uint _mask = (uint)ring.QueueSize - 1;
    private uint _next;

    /// <summary>Uses the next buffers, which the driver must have made available; all but the last are full.</summary>
    public void Complete(int count, int lastLength)
    {
        if (ring.Format == RingFormat.Igb)
        {
            CompleteIgb(count, lastLength);
            return;
        }

        uint last = _next + (uint)count - 1 & _mask;
        uint place = _next & _mask;
        bool wrap = (_next & (_mask + 1)) == 0;
        _next += (uint)count;
        if (ring.Format == RingFormat.Packed)
        {
            memory.Store(
                ring.DescriptorArea + place * PackedFormat.DescriptorSize + PackedFormat.DescriptorLengthOffset,
                (uint)lastLength | (ulong)last << 32 | (wrap ? (ulong)UsedFlags << 48 : 0));
            return;
        }

        memory.Store(ring.DeviceArea + SplitFormat.EntriesOffset + place * SplitFormat.UsedEntrySize, last);
        memory.Store(ring.DeviceArea + SplitFormat.EntriesOffset + place * SplitFormat.UsedEntrySize + sizeof(uint), (uint)lastLength);

        // Flags, and the index in the high half: no doorbell is wanted.
        memory.Store(ring.DeviceArea, SplitFormat.UsedNoNotify | _next << 16);
    }

    /// <summary>Wants no doorbell.</summary>
    public void Start()
    {
        if (ring.Format == RingFormat.Igb)
        {
            return;
        }

        if (ring.Format == RingFormat.Packed)
        {
            memory.Store(ring.DeviceArea, (uint)PackedFormat.EventsDisabled << 16);
        }
        else
        {
            memory.Store(ring.DeviceArea, (uint)SplitFormat.UsedNoNotify);
        }
    }

    private void CompleteIgb(int count, int lastLength)
    {
        uint end = _next + (uint)count;
        if (!isWriter)
        {
            long report = ring.DescriptorArea + (end - 1 & _mask) * IgbTransmitDescriptor.Size + IgbTransmitDescriptor.CommandOffset;
            memory.Store(report, memory.LoadUInt64(report) | IgbTransmitDescriptor.Done);
            _next = end;
            return;
        }

        for (; _next != end; _next++)
        {
            int length = Math.Min(_next == end - 1 ? lastLength : int.MaxValue, IgbReceiveDescriptor.BufferLength);
            memory.Store(
                ring.DescriptorArea + (_next & _mask) * IgbReceiveDescriptor.Size + IgbReceiveDescriptor.StatusOffset,
                IgbReceiveDescriptor.Done | IgbReceiveDescriptor.EndOfPacket | (ulong)length << IgbReceiveDescriptor.LengthShift);
        }
    }
}
