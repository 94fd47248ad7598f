using Arrakis.Contract;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Tests.Rings.Engine;

/// <summary>The packed format (virtio 1.2 §2.8).</summary>
internal sealed unsafe class ReorderingPackedQueue(byte* memory, ulong iova, QueueGrant queue, bool eventIndex) : ReorderingQueue(memory, iova, queue)
{
    private readonly List<(long Place, ulong Word)> _hidden = [];
    private long _nextAvailable;
    private long _nextUsed;
    private long _shown;

    public override bool TryTake(out DeviceChain chain)
    {
        chain = default;
        ushort flags = ReadShort(Flags(_nextAvailable));
        bool wrap = Wrap(_nextAvailable);
        if (((flags & DescriptorFlags.Available) != 0) != wrap || ((flags & DescriptorFlags.Used) != 0) == wrap)
        {
            return false;
        }

        List<DevicePart>? parts = null;
        while (true)
        {
            byte* descriptor = At(Place(_nextAvailable));
            flags = *(ushort*)(descriptor + PackedFormat.DescriptorFlagsOffset);
            wrap = Wrap(_nextAvailable);
            Assert.True(((flags & DescriptorFlags.Available) != 0) == wrap && ((flags & DescriptorFlags.Used) == 0) == wrap, "a part of a chain is not available");
            ushort id = *(ushort*)(descriptor + PackedFormat.DescriptorIdOffset);
            long start = Offset(*(ulong*)descriptor);
            uint length = *(uint*)(descriptor + PackedFormat.DescriptorLengthOffset);
            _nextAvailable++;
            if ((flags & DescriptorFlags.Indirect) != 0)
            {
                Assert.Null(parts);
                Assert.Equal(0, flags & (DescriptorFlags.Next | DescriptorFlags.Write));
                DevicePart[] table = ReadTable(start, length);
                chain = new DeviceChain(id, 1, table[0], table[1..], start);
                return true;
            }

            if (parts is null && (flags & DescriptorFlags.Next) == 0)
            {
                chain = new DeviceChain(id, 1, Part(start, length, flags), [], -1);
                return true;
            }

            (parts ??= []).Add(Part(start, length, flags));
            Assert.True(parts.Count <= Mask + 1, "a chain is longer than the ring");
            if ((flags & DescriptorFlags.Next) == 0)
            {
                chain = new DeviceChain(id, parts.Count, parts[0], [.. parts.Skip(1)], -1);
                return true;
            }
        }
    }

    public override void Use(in DeviceChain chain, uint length) => AddUsed(chain.Id, length, chain.Descriptors);

    public override void UseBatch(in DeviceChain last, int chains, int descriptors, uint length) => AddUsed(last.Id, length, descriptors);

    public override bool Publish()
    {
        // The last one first: until the first is there, the driver must see none.
        for (int i = _hidden.Count - 1; i >= 0; i--)
        {
            Volatile.Write(ref *(ulong*)At(_hidden[i].Place + PackedFormat.DescriptorLengthOffset), _hidden[i].Word);
        }

        _hidden.Clear();
        long before = _shown;
        _shown = _nextUsed;
        Interlocked.MemoryBarrier();
        ushort flags = ReadShort(Layout.DriverArea + PackedFormat.EventFlagsOffset);
        if (flags != PackedFormat.EventAtDescriptor)
        {
            Assert.InRange(flags, PackedFormat.EventsEnabled, PackedFormat.EventsDisabled);
            return _nextUsed != before && flags == PackedFormat.EventsEnabled;
        }

        Assert.True(eventIndex, "an event at a descriptor needs VIRTIO_F_EVENT_IDX");
        ushort wish = ReadShort(Layout.DriverArea);
        int place = wish & ~PackedFormat.WrapBit;
        Assert.InRange(place, 0, Mask);
        long wanted = before + (place - before & Mask);
        return wanted < _nextUsed && Wrap(wanted) == ((wish & PackedFormat.WrapBit) != 0);
    }

    public override void AskForDoorbell(bool wanted)
    {
        bool atDescriptor = wanted && eventIndex;
        WriteShort(Layout.DeviceArea, atDescriptor ? (ushort)((_nextAvailable & Mask) | (Wrap(_nextAvailable) ? PackedFormat.WrapBit : 0u)) : (ushort)0);
        WriteShort(
            Layout.DeviceArea + PackedFormat.EventFlagsOffset,
            atDescriptor ? PackedFormat.EventAtDescriptor : wanted ? PackedFormat.EventsEnabled : PackedFormat.EventsDisabled);
    }

    private DevicePart[] ReadTable(long start, uint length)
    {
        Assert.NotEqual(0u, length);
        Assert.Equal(0u, length % PackedFormat.DescriptorSize);
        var parts = new DevicePart[length / PackedFormat.DescriptorSize];
        for (int i = 0; i < parts.Length; i++)
        {
            byte* entry = At(start + i * PackedFormat.DescriptorSize);
            parts[i] = Part(
                Offset(*(ulong*)entry),
                *(uint*)(entry + PackedFormat.DescriptorLengthOffset),
                *(ushort*)(entry + PackedFormat.DescriptorFlagsOffset));
        }

        return parts;
    }

    private void AddUsed(ushort id, uint length, int descriptors)
    {
        ulong owner = Wrap(_nextUsed) ? (ulong)(DescriptorFlags.Available | DescriptorFlags.Used) : 0;
        _hidden.Add((Place(_nextUsed), length | (ulong)id << 32 | owner << 48));
        _nextUsed += descriptors;
    }

    private long Place(long descriptor) => Layout.DescriptorArea + (descriptor & Mask) * PackedFormat.DescriptorSize;

    private long Flags(long descriptor) => Place(descriptor) + PackedFormat.DescriptorFlagsOffset;

    private bool Wrap(long descriptor) => (descriptor / (Mask + 1) & 1) == 0;
}
