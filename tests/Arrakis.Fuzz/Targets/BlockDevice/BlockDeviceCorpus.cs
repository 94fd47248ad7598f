using System.Buffers.Binary;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.Fuzz.Targets.BlockDevice;

/// <summary>Inputs of <see cref="BlockDeviceTarget"/> in which the hostile driver's ring is as a correct one's.</summary>
internal static class BlockDeviceCorpus
{
    private const byte Disk = 0x80;
    private const byte Indirect = 1;
    private const byte EventIndex = 2;
    private const byte Flush = 4;
    private const byte Packed = 8;
    private const byte NeighbourPacked = 0x10;
    private const byte NoFlush = 0x20;

    private const int Requests = 5; // of three descriptors each
    private const int DataLength = BlockMachine.BlockSize;

    // Rounds of the device, and requests of the neighbour: a write, a read, a range, one that is none, and one by a table.
    private static readonly byte[] _steps =
    [
        4,
        5, 1, 2, 2, 0, 1, 40, 0,
        5, 0, 2, 2, 4, 0, 2, 60, 9,
        3,
        6, 4, 0, 0, 3, 1, 4, 3, 0, 0,
        6, 5, 0, 0, 0, 0, 6, 1, 0, 0,
        5, 1, 11, 3, 0, 0, 0,
        5, 0, 2, 1, 0x1F, 3, 1, 2, 3, 3, 9, 8, 7,
        5, 6, 0, 0, 0, 0, 0,
        5, 7, 0, 20, 0, 0, 0,
        4,
    ];

    // The area is taken, shown read-only and shown again, with requests of both drivers in between.
    private static readonly byte[] _changes =
    [
        7, 0, 3, 7, 2, 4, 5, 1, 0, 1, 0, 0, 0, 7, 3, 5, 1, 0, 1, 0, 0, 0, 5, 0, 0, 1, 0, 0, 0,
        0, 3, 0, 4, 7, 4, 7, 5, 0, 3, 3, 4, 5, 1, 0, 1, 0, 0, 0, 0, 5, 0, 0, 4,
    ];

    /// <summary>Makes them.</summary>
    public static IReadOnlyList<byte[]> Make()
    {
        List<byte[]> inputs = [];
        foreach (byte medium in new byte[] { 0, Disk })
        {
            inputs.Add(Input((byte)(medium | Flush), _steps));
            inputs.Add(Input((byte)(medium | Packed | NeighbourPacked), _steps));
            inputs.Add(Input((byte)(medium | Indirect | EventIndex | NoFlush), _steps));
            inputs.Add(Input((byte)(medium | Packed | Indirect | EventIndex | NeighbourPacked | NoFlush), _changes));
            inputs.Add(Input((byte)(medium | Indirect), _changes));
        }

        return inputs;
    }

    private static byte[] Input(byte choice, byte[] steps)
    {
        bool isPacked = (choice & Packed) != 0;
        byte[] image = new byte[HostileDriver.ImageLength];
        var layout = RingLayout.At(isPacked ? RingFormat.Packed : RingFormat.Split, 0, DriverMemory.Size);
        VirtioBlockType[] types = [VirtioBlockType.Write, VirtioBlockType.Read, VirtioBlockType.WriteZeroes, VirtioBlockType.Discard, VirtioBlockType.Flush];
        for (int i = 0; i < Requests; i++)
        {
            // The table of an indirect request is behind all headers, as is its data.
            int header = HostileDriver.Headers + i * 2 * VirtioBlockRequest.HeaderLength;
            int status = HostileDriver.Data - 1 - i;
            new VirtioBlockRequest(types[i], (ulong)(2 * i)).Write(image.AsSpan(header));
            new VirtioBlockSegment((ulong)(4 * i), 2, 0).Write(image.AsSpan(header + VirtioBlockRequest.HeaderLength));
            bool isRange = types[i] is VirtioBlockType.WriteZeroes or VirtioBlockType.Discard;
            Descriptor[] chain =
            [
                new((ulong)header, VirtioBlockRequest.HeaderLength, 0),
                isRange
                    ? new((ulong)(header + VirtioBlockRequest.HeaderLength), VirtioBlockSegment.Length, 0)
                    : new((ulong)(HostileDriver.Data + i * DataLength), DataLength, types[i] == VirtioBlockType.Read ? DescriptorFlags.Write : (ushort)0),
                new((ulong)status, 1, DescriptorFlags.Write),
            ];
            if ((choice & Indirect) != 0)
            {
                int table = HostileDriver.Headers + 256 + i * 3 * SplitFormat.DescriptorSize;
                PutChain(image.AsSpan(table), chain, isPacked, 0, isTable: true, 0);
                chain = [new((ulong)table, 3 * SplitFormat.DescriptorSize, DescriptorFlags.Indirect)];
            }

            int first = i * chain.Length;
            PutChain(image.AsSpan((int)layout.DescriptorArea + first * SplitFormat.DescriptorSize), chain, isPacked, (ushort)(isPacked ? i : first), isTable: false, isPacked ? DescriptorFlags.Available : (ushort)0);
            if (!isPacked)
            {
                BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan((int)layout.DriverArea + SplitFormat.EntriesOffset + i * SplitFormat.AvailableEntrySize), (ushort)first);
            }
        }

        if (!isPacked)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan((int)layout.DriverArea + SplitFormat.IndexOffset), Requests);
        }

        ushort next = isPacked ? PackedFormat.WrapBit : (ushort)0;
        return [choice, (byte)next, (byte)(next >> 8), .. image, .. steps];
    }

    // Links count from the ring's start, or the table's; in a packed ring each descriptor has the id.
    private static void PutChain(Span<byte> entries, Descriptor[] chain, bool isPacked, ushort link, bool isTable, ushort flags)
    {
        for (int i = 0; i < chain.Length; i++)
        {
            bool isLast = i == chain.Length - 1;
            ushort all = (ushort)(chain[i].Flags | flags | (isLast || (isTable && isPacked) ? 0 : DescriptorFlags.Next));
            Span<byte> entry = entries[(i * SplitFormat.DescriptorSize)..];
            BinaryPrimitives.WriteUInt64LittleEndian(entry, GuardedMemory.Iova + chain[i].Address);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[SplitFormat.DescriptorLengthOffset..], chain[i].Length);
            BinaryPrimitives.WriteUInt16LittleEndian(entry[(isPacked ? PackedFormat.DescriptorFlagsOffset : SplitFormat.DescriptorFlagsOffset)..], all);
            BinaryPrimitives.WriteUInt16LittleEndian(entry[(isPacked ? PackedFormat.DescriptorIdOffset : SplitFormat.DescriptorNextOffset)..], isPacked ? link : (ushort)(link + i + 1));
        }
    }
}
