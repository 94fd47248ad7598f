using System.Buffers.Binary;
using Arrakis.Contract;
using Arrakis.SystemApp.Conversation;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.SystemApp.Roles;

/// <summary>Fills rings with what no driver may write: loops, lengths, addresses and indices out of range.</summary>
internal sealed class RingGarbage(RawHolder holder, Random random)
{
    private const int BurstsPerReport = 200;
    private const int DescriptorsPerBurst = 32;

    /// <summary>Writes burst after burst, and reports now and then.</summary>
    public void Write()
    {
        for (long burst = 1; ; burst++)
        {
            foreach (QueueGrant queue in holder.Grant.Queues)
            {
                WriteDescriptors(queue.Ring);
                WriteAvailable(queue.Ring);
                if (random.Next(4) == 0)
                {
                    WriteUsed(queue.Ring);
                }
            }

            holder.Doorbells[random.Next(holder.Doorbells.Count)].Signal();
            if (burst % BurstsPerReport == 0)
            {
                Talk.Say(new DoneReport(burst));
            }

            Thread.Sleep(random.Next(3) == 0 ? 1 : 0);
        }
    }

    private void WriteDescriptors(RingLayout ring)
    {
        for (int i = 0; i < DescriptorsPerBurst; i++)
        {
            int index = random.Next(ring.QueueSize);
            Span<byte> descriptor = Bytes(ring.DescriptorArea + (long)index * SplitFormat.DescriptorSize, SplitFormat.DescriptorSize);
            BinaryPrimitives.WriteUInt64LittleEndian(descriptor, Address());
            BinaryPrimitives.WriteUInt32LittleEndian(descriptor[SplitFormat.DescriptorLengthOffset..], Length());
            BinaryPrimitives.WriteUInt16LittleEndian(descriptor[SplitFormat.DescriptorFlagsOffset..], (ushort)random.Next(8));
            BinaryPrimitives.WriteUInt16LittleEndian(descriptor[SplitFormat.DescriptorNextOffset..], random.Next(3) switch
            {
                0 => (ushort)index, // A loop of one.
                1 => (ushort)random.Next(ring.QueueSize), // A longer one, sooner or later.
                _ => (ushort)random.Next(ring.QueueSize, ushort.MaxValue),
            });
        }
    }

    private void WriteAvailable(RingLayout ring)
    {
        for (int i = 0; i < DescriptorsPerBurst; i++)
        {
            int entry = random.Next(ring.QueueSize);
            BinaryPrimitives.WriteUInt16LittleEndian(
                Bytes(ring.DriverArea + SplitFormat.EntriesOffset + (long)entry * SplitFormat.AvailableEntrySize, sizeof(ushort)),
                (ushort)(random.Next(8) == 0 ? random.Next(ushort.MaxValue) : random.Next(ring.QueueSize)));
        }

        Span<byte> index = Bytes(ring.DriverArea + SplitFormat.IndexOffset, sizeof(ushort));
        ushort old = BinaryPrimitives.ReadUInt16LittleEndian(index);
        BinaryPrimitives.WriteUInt16LittleEndian(index, random.Next(8) == 0 ? (ushort)random.Next(ushort.MaxValue) : (ushort)(old + random.Next(16)));
        BinaryPrimitives.WriteUInt16LittleEndian(Bytes(ring.DriverArea, sizeof(ushort)), (ushort)random.Next(4));
    }

    private void WriteUsed(RingLayout ring)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(Bytes(ring.DeviceArea + SplitFormat.IndexOffset, sizeof(ushort)), (ushort)random.Next(ushort.MaxValue));
        random.NextBytes(Bytes(ring.DeviceArea + SplitFormat.EntriesOffset, ring.QueueSize * SplitFormat.UsedEntrySize));
    }

    private ulong Address()
    {
        MemoryGrant memory = holder.Grant.Memory;
        return random.Next(6) switch
        {
            0 => 0,
            1 => ulong.MaxValue - (ulong)random.Next(4096),
            2 => memory.IovaBase - (ulong)random.Next(1, 4096),
            3 => memory.IovaBase + (ulong)memory.Length - (ulong)random.Next(64),
            4 => memory.IovaBase + (ulong)random.Next(4096), // The rings themselves.
            _ => memory.IovaBase + (ulong)(memory.BufferOffset + random.NextInt64(memory.BufferLength)),
        };
    }

    private uint Length() => random.Next(5) switch
    {
        0 => 0,
        1 => uint.MaxValue,
        2 => 1u << 31,
        3 => (uint)random.Next(16),
        _ => (uint)random.Next(4096),
    };

    private unsafe Span<byte> Bytes(long offset, int length) => new(holder.Memory.Start + offset, length);
}
