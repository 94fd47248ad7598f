using Arrakis.Contract;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Tests.Rings.Engine;

/// <summary>The split format (virtio 1.2 §2.7).</summary>
internal sealed unsafe class ReorderingSplitQueue(byte* memory, ulong iova, QueueGrant queue, bool eventIndex) : ReorderingQueue(memory, iova, queue)
{
    private ushort _nextAvailable;
    private ushort _nextUsed;
    private ushort _shown;

    public override bool TryTake(out DeviceChain chain)
    {
        chain = default;
        if (ReadShort(Layout.DriverArea + SplitFormat.IndexOffset) == _nextAvailable)
        {
            return false;
        }

        ushort head = ReadShort(Layout.DriverArea + SplitFormat.EntriesOffset + (_nextAvailable++ & Mask) * SplitFormat.AvailableEntrySize);
        byte* descriptor = At(Layout.DescriptorArea + head * SplitFormat.DescriptorSize);
        ushort flags = *(ushort*)(descriptor + SplitFormat.DescriptorFlagsOffset);
        if ((flags & DescriptorFlags.Indirect) != 0)
        {
            Assert.Equal(DescriptorFlags.Indirect, flags);
            long table = Offset(*(ulong*)descriptor);
            uint bytes = *(uint*)(descriptor + SplitFormat.DescriptorLengthOffset);
            Assert.Equal(0u, bytes % SplitFormat.DescriptorSize);
            chain = Walk(head, At(table), (int)bytes / SplitFormat.DescriptorSize, 0) with { Descriptors = 1, Table = table };
            return true;
        }

        chain = (flags & DescriptorFlags.Next) == 0
            ? new DeviceChain(head, 1, Part(Offset(*(ulong*)descriptor), *(uint*)(descriptor + SplitFormat.DescriptorLengthOffset), flags), [], -1)
            : Walk(head, At(Layout.DescriptorArea), Mask + 1, head);
        return true;
    }

    public override void Use(in DeviceChain chain, uint length) => AddUsed(chain.Id, length, 1);

    public override void UseBatch(in DeviceChain last, int chains, int descriptors, uint length) => AddUsed(last.Id, length, chains);

    public override bool Publish()
    {
        WriteShort(Layout.DeviceArea + SplitFormat.IndexOffset, _nextUsed);
        ushort before = _shown;
        _shown = _nextUsed;
        Interlocked.MemoryBarrier();
        ushort wanted = ReadShort(Layout.DriverArea + SplitFormat.EntriesOffset + (Mask + 1) * SplitFormat.AvailableEntrySize);
        return eventIndex
            ? (ushort)(wanted - before) < (ushort)(_nextUsed - before)
            : _nextUsed != before && (ReadShort(Layout.DriverArea) & SplitFormat.AvailableNoInterrupt) == 0;
    }

    public override void AskForDoorbell(bool wanted)
    {
        if (eventIndex)
        {
            WriteShort(
                Layout.DeviceArea + SplitFormat.EntriesOffset + (Mask + 1) * SplitFormat.UsedEntrySize,
                wanted ? _nextAvailable : (ushort)(_nextAvailable - 1));
        }
        else
        {
            WriteShort(Layout.DeviceArea, wanted ? (ushort)0 : SplitFormat.UsedNoNotify);
        }
    }

    private DeviceChain Walk(ushort id, byte* table, int count, int at)
    {
        List<DevicePart> parts = [];
        while (true)
        {
            Assert.True((uint)at < (uint)count, "a chain leaves its table");
            Assert.True(parts.Count < count, "a chain goes in a circle");
            byte* descriptor = table + at * SplitFormat.DescriptorSize;
            ushort flags = *(ushort*)(descriptor + SplitFormat.DescriptorFlagsOffset);
            DevicePart part = Part(Offset(*(ulong*)descriptor), *(uint*)(descriptor + SplitFormat.DescriptorLengthOffset), flags);
            if ((flags & DescriptorFlags.Next) == 0)
            {
                if (parts.Count == 0)
                {
                    return new DeviceChain(id, 1, part, [], -1);
                }

                parts.Add(part);
                return new DeviceChain(id, parts.Count, parts[0], [.. parts.Skip(1)], -1);
            }

            parts.Add(part);
            at = *(ushort*)(descriptor + SplitFormat.DescriptorNextOffset);
        }
    }

    private void AddUsed(ushort id, uint length, int count)
    {
        byte* entry = At(Layout.DeviceArea + SplitFormat.EntriesOffset + (_nextUsed & Mask) * SplitFormat.UsedEntrySize);
        *(uint*)entry = id;
        *(uint*)(entry + 4) = length;
        _nextUsed += (ushort)count;
    }
}
