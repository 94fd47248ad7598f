using Arrakis.DataPlane.Rings;
using Arrakis.Wire.Nvme;
using CsCheck;

namespace Arrakis.DataPlane.Tests.Rings.Nvme;

/// <summary>Random operations of all kinds, completed in random orders, against arrays that say what each block must be.</summary>
public sealed class NvmeModelTests
{
    private const int Blocks = 4096;
    private const int SlotPages = 5;
    private const int MaxBlocks = (SlotPages - 1) * NvmeBed.PageSize / NvmeBed.BlockSize;
    private const int Operations = 30_000;

    // Eight cases of 30,000 operations each.
    [Theory]
    [InlineData(2, false, 1)]
    [InlineData(4, true, 2)]
    [InlineData(8, false, 3)]
    [InlineData(16, true, 4)]
    [InlineData(64, false, 5)]
    [InlineData(256, false, 6)]
    [InlineData(1024, true, 7)]
    [InlineData(65536, false, 8)]
    public void Blocks_are_what_the_completed_operations_made_of_them(int size, bool usesSgl, int seed)
    {
        int slots = Math.Min(size - 1, 64);
        using var bed = new NvmeBed(size, slots * SlotPages * NvmeBed.PageSize, 16 << 10, usesSgl, Blocks);
        var random = new Random(seed);
        var model = new byte[Blocks]; // Each block is filled with one byte.
        var expected = new Expected?[slots]; // By slot, while it is with the device.
        var tags = new ushort[slots];
        var slotOf = new Dictionary<ushort, int>();
        var fetched = new List<NvmeCommand>();
        var completions = new BlockCompletion[slots + 1];
        var commands = new List<BlockCommand>();
        int begun = 0;
        int ended = 0;
        try
        {
            while (ended < Operations)
            {
                switch (random.Next(4))
                {
                    case 0:
                        commands.Clear();
                        for (int wanted = random.Next(1, slots + 1); wanted > 0 && begun < Operations; wanted--)
                        {
                            int slot = Array.FindIndex(expected, static one => one is null);
                            if (slot < 0)
                            {
                                break;
                            }

                            ushort tag;
                            do
                            {
                                tag = (ushort)random.Next(bed.Pair.Depth);
                            }
                            while (slotOf.ContainsKey(tag));

                            commands.Add(Begin(bed, random, slot, tag, expected));
                            slotOf.Add(tag, slot);
                            begun++;
                        }

                        Assert.Equal(commands.Count, bed.Pair.Submit([.. commands]));
                        break;
                    case 1:
                        bed.Pair.Publish();
                        while (random.Next(8) != 0 && bed.Device.TryFetch(out NvmeCommand command))
                        {
                            fetched.Add(command);
                        }

                        break;
                    case 2:
                        while (fetched.Count > 0 && random.Next(6) != 0)
                        {
                            // Done when it is completed, so that what was begun later may be done before.
                            int chosen = random.Next(fetched.Count);
                            NvmeCommand command = fetched[chosen];
                            fetched.RemoveAt(chosen);
                            ushort status = bed.Namespace.Execute(command, bed.Memory);
                            bed.Device.Complete(command.Id, status);
                            Apply(expected[slotOf[command.Id]]!, model);
                        }

                        break;
                    default:
                        int count = bed.Pair.TakeCompleted(completions.AsSpan(0, random.Next(1, completions.Length)));
                        for (int i = 0; i < count; i++)
                        {
                            Assert.True(slotOf.Remove(completions[i].Tag, out int slot));
                            End(bed, expected[slot]!, slot, completions[i]);
                            expected[slot] = null;
                            ended++;
                        }

                        break;
                }

                Assert.Equal(slotOf.Count, bed.Pair.InFlight);
            }

            for (int block = 0; block < Blocks; block++)
            {
                Assert.True(bed.Namespace.Block((ulong)block).IndexOfAnyExcept(model[block]) < 0, $"Block {block} is not all {model[block]}.");
            }
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"size {size}, seed {seed}, after {ended} operations: {e.Message}", e);
        }

        Assert.Equal(Operations, ended);
    }

    [Fact]
    public void Whatever_the_device_writes_gives_completions_of_commands_in_flight_or_a_corrupt_ring() =>
        Gen.Select(Gen.Int[1, 6], Gen.Select(Gen.UInt, Gen.UInt, Gen.Int[0, 3]).Array[1, 60]).Sample(
            (exponent, writes) =>
            {
                using var bed = new NvmeBed(1 << exponent, maxTransfer: 4096);
                var completions = new BlockCompletion[8];
                var inFlight = new HashSet<ushort>();
                try
                {
                    foreach ((uint word2, uint word3, int kind) in writes)
                    {
                        for (ushort tag = 0; tag < bed.Pair.Depth; tag++)
                        {
                            if (inFlight.Add(tag))
                            {
                                bed.Start(NvmeBed.Other(tag, BlockOperation.Flush));
                            }
                        }

                        _ = bed.Device.TryFetch(out _);
                        if (kind == 0)
                        {
                            bed.Device.WriteAt(word2, word2, word3);
                        }
                        else
                        {
                            uint id = kind == 1 ? word3 & 0xFFFF : word3 & 0x3F;
                            uint head = kind == 3 ? word2 & 0x3F : bed.Device.Fetched & (uint)bed.Pair.Depth;
                            bed.Device.Write(head, NvmeCompletion.ComposeDword3((ushort)id, bed.Device.Phase(bed.Device.Posted), new NvmeStatus((ushort)(word3 >> 17))));
                        }

                        int count = bed.Pair.TakeCompleted(completions);
                        Assert.All(completions.Take(count), completion => Assert.True(inFlight.Remove(completion.Tag)));
                        Assert.Equal(inFlight.Count, bed.Pair.InFlight);
                    }
                }
                catch (RingCorruptException e)
                {
                    Assert.Contains("NVMe completion queue", e.Message, StringComparison.Ordinal);
                }
            },
            seed: Seeds.Fixed,
            iter: 2000,
            threads: 1);

    private static BlockCommand Begin(NvmeBed bed, Random random, int slot, ushort tag, Expected?[] expected)
    {
        var operation = (BlockOperation)random.Next(5);
        int count = random.Next(4) == 0 ? random.Next(1, MaxBlocks + 1) : random.Next(1, 9);
        int first = random.Next(-8, Blocks); // Some begin or end beyond the namespace.
        ulong block = first < 0 ? ulong.MaxValue - (ulong)random.Next(100) : (ulong)first;

        // Blocks that another operation in flight has have no order: each operation keeps to its own.
        if (first >= 0 && expected.Any(other => other is not null && first < other.First + other.Count && other.First < first + count))
        {
            operation = BlockOperation.Flush;
        }

        byte value = (byte)random.Next(1, 256);
        long offset = (long)slot * SlotPages * NvmeBed.PageSize + random.Next(NvmeBed.PageSize / 4) * 4;
        bool isInside = first >= 0 && first + count <= Blocks;
        expected[slot] = operation == BlockOperation.Flush
            ? new Expected(operation, 0, 0, 0, offset, true)
            : new Expected(operation, first, count, value, offset, isInside);
        if (operation > BlockOperation.Write)
        {
            return NvmeBed.Other(tag, operation, operation == BlockOperation.Flush ? 0 : block, operation == BlockOperation.Flush ? 0 : (uint)count);
        }

        bed.Bytes(offset, count * NvmeBed.BlockSize).Fill(value);
        return bed.Transfer(tag, operation, block, count, offset, durable: random.Next(2) == 0 && operation == BlockOperation.Write);
    }

    private static void Apply(Expected operation, byte[] model)
    {
        if (!operation.IsInside)
        {
            return;
        }

        switch (operation.Operation)
        {
            case BlockOperation.Write:
                model.AsSpan(operation.First, operation.Count).Fill(operation.Value);
                break;
            case BlockOperation.Discard or BlockOperation.WriteZeroes:
                model.AsSpan(operation.First, operation.Count).Clear();
                break;
            case BlockOperation.Read:
                operation.Read = model.AsSpan(operation.First, operation.Count).ToArray();
                break;
            default:
                break;
        }
    }

    private static void End(NvmeBed bed, Expected operation, int slot, BlockCompletion completion)
    {
        Assert.Equal(operation.IsInside ? BlockStatus.Success : BlockStatus.OutOfRange, completion.Status);
        if (operation.Operation != BlockOperation.Read || !operation.IsInside)
        {
            return;
        }

        for (int i = 0; i < operation.Count; i++)
        {
            Assert.True(
                bed.Bytes(operation.Offset + i * NvmeBed.BlockSize, NvmeBed.BlockSize).IndexOfAnyExcept(operation.Read[i]) < 0,
                $"Block {operation.First + i}, read into slot {slot}, is not all {operation.Read[i]}.");
        }
    }

    private sealed record Expected(BlockOperation Operation, int First, int Count, byte Value, long Offset, bool IsInside)
    {
        public byte[] Read { get; set; } = [];
    }
}
