using Arrakis.TestBed.Storage;
using Arrakis.Wire.Rings;
using CsCheck;

namespace Arrakis.DataPlane.Tests.Storage;

/// <summary>
/// A block queue beside a plain array: whatever is asked, and in whatever order the device answers, each read gives what was last
/// written there, each request ends once, and no buffer or tag is lost.
/// </summary>
public sealed class BlockModelTests
{
    private const int BlockSize = 512;
    private const int Blocks = 32;

    [Fact]
    public void Any_requests_in_any_order_of_completion_do_as_a_plain_array_does() =>
        Gen.Int.Sample(static seed => Run(new Random(seed)), iter: 1500, seed: Seeds.Fixed, threads: 1);

    private static void Run(Random random)
    {
        Wire.Rings.RingFormat format = random.Next(2) == 0 ? RingFormat.Split : RingFormat.Packed;
        int first = random.Next(1, Blocks - 1);
        using var device = new MemoryBlockDevice(new MemoryBlockOptions
        {
            Format = format,
            IsIndirect = random.Next(2) == 0,
            QueueSize = 1 << random.Next(2, 6),
            BlockSize = BlockSize,
            Extents = random.Next(2) == 0 ? [new(0, Blocks)] : [new(100, first), new(3, Blocks - first)],
            MaxTransferLength = BlockSize * random.Next(1, 9),
            Buffers = 24,
            Capabilities = random.Next(4) == 0 ? 0 : Contract.StorageCapabilities.VolatileCache | Contract.StorageCapabilities.WriteZeroes,
        });
        StorageBinding storage = device.Bind();
        BlockQueue queue = storage.Queues[0];
        ((MemoryMedium)device.Medium).Bytes.Clear();
        var model = new byte[Blocks]; // Each block is filled with one value.
        var busy = new bool[Blocks]; // Requests of the same block at the same time have no order.
        var asked = new Dictionary<ulong, (BlockRequest Request, byte Value)>();
        var held = new List<DeviceBlockRequest>();
        var results = new BlockResult[16];
        ulong token = 0;
        for (int step = 0; step < 200 || asked.Count != 0; step++)
        {
            Assert.True(step < 5000, "requests do not end");
            if (step < 200 && random.Next(3) != 0)
            {
                Ask();
            }

            Take(queue.Poll(results));
            while (random.Next(4) != 0 && device.TryTake(out DeviceBlockRequest request))
            {
                held.Add(request);
            }

            while (held.Count != 0 && random.Next(3) != 0)
            {
                int index = random.Next(held.Count);
                device.Complete(held[index], device.Serve(held[index]));
                held.RemoveAt(index);
            }

            if (random.Next(2) == 0)
            {
                device.Publish();
            }
        }

        Assert.Equal(24, queue.Buffers.FreeCount);
        Assert.Empty(held);
        Assert.True(storage.DisposeAsync().AsTask().Wait(TimeSpan.FromSeconds(10)));

        void Ask()
        {
            var operation = (BlockOperation)random.Next(5);
            long block = random.Next(Blocks);
            long count = random.Next(1, (int)Math.Min(8, Blocks - block) + 1);
            BlockBuffer buffer = default;
            if (operation == BlockOperation.Flush)
            {
                (block, count) = (0, 0);
            }
            else if (operation == BlockOperation.Discard
                || busy.AsSpan((int)block, (int)count).Contains(true)
                || (operation is BlockOperation.Read or BlockOperation.Write && !queue.Buffers.TryRent(out buffer)))
            {
                return;
            }

            byte value = operation == BlockOperation.Write ? (byte)random.Next(1, 256) : (byte)0;
            if (buffer.Length != 0)
            {
                buffer.Span.Fill(operation == BlockOperation.Write ? value : (byte)random.Next(256));
            }

            busy.AsSpan((int)block, (int)count).Fill(true);
            var request = new BlockRequest(operation, block, count, buffer, ++token, random.Next(2) == 0 ? WriteDurability.Durable : WriteDurability.Cached);
            asked.Add(token, (request, value));
            queue.Submit([request]);
        }

        void Take(int count)
        {
            for (int i = 0; i < count; i++)
            {
                Assert.True(asked.Remove(results[i].Token, out (BlockRequest Request, byte Value) entry), "a request ends twice, or was never asked for");
                BlockRequest request = entry.Request;
                bool isUnsupported = request.Operation == BlockOperation.WriteZeroes && (storage.Area.Capabilities & Contract.StorageCapabilities.WriteZeroes) == 0;
                Assert.Equal(isUnsupported ? BlockStatus.Unsupported : BlockStatus.Success, results[i].Status);
                Span<byte> expected = model.AsSpan((int)request.Block, (int)request.Count);
                busy.AsSpan((int)request.Block, (int)request.Count).Clear();
                if (request.Operation == BlockOperation.Read)
                {
                    for (int b = 0; b < expected.Length; b++)
                    {
                        Assert.Equal(-1, request.Buffer.Span.Slice(b * BlockSize, BlockSize).IndexOfAnyExcept(expected[b]));
                    }
                }
                else if (!isUnsupported)
                {
                    expected.Fill(entry.Value);
                }

                if (request.Buffer.Length != 0)
                {
                    queue.Buffers.Return(request.Buffer);
                }
            }
        }
    }
}
