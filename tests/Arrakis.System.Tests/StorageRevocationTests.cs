using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.SystemTests.Support;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Storage;

namespace Arrakis.SystemTests;

/// <summary>A storage area that is taken while its device has many writes of the holder's.</summary>
public sealed class StorageRevocationTests
{
    private const int BlockSize = 4096;
    private const int Blocks = 256;
    private const int Depth = 48;
    private const int Rounds = 6;
    private const byte NextHolder = 0x80;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_was_acknowledged_is_there_after_the_next_bind_and_what_was_under_way_does_not_come_late()
    {
        using var file = new BlockFile(Path.GetTempPath(), 4L * Blocks * BlockSize);
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(new DaemonSetup { BlockFile = file.Path }, Cancellation);
        await using ArrakisClient client = await daemon.ConnectAsync(Cancellation);
        _ = await client.CreateAreaAsync("a", (long)Blocks * BlockSize, cancellationToken: Cancellation);
        var request = new StorageRequest { Area = "a", QueueSize = 256, Buffers = Depth };
        byte[] before = new byte[Blocks];
        for (byte round = 1; round <= Rounds; round++)
        {
            byte value = round;
            var load = new Load(value, [.. before]);
            await using (StorageBinding binding = await client.BindStorageAsync(request, Cancellation))
            {
                Task<BindingRevokedException> writing = Task.Run(() => Assert.Throws<BindingRevokedException>(() => load.Run(binding.Queues[0])));
                await load.Started.WaitAsync(DaemonProcess.Patience, Cancellation);
                await client.RevokeAsync(binding.Grant.BindingId, RevocationMode.Invisible, cancellationToken: Cancellation);
                BindingRevokedException revoked = await writing.WaitAsync(DaemonProcess.Patience, Cancellation);
                Assert.Equal(binding.Grant.BindingId, revoked.BindingId);
            }

            await using StorageBinding next = await client.BindStorageAsync(request, Cancellation);
            byte[] found = ReadAll(next.Queues[0]);
            for (int block = 0; block < Blocks; block++)
            {
                // A write that was under way may have been done.
                Assert.True(found[block] == load.Acknowledged[block] || found[block] == value, $"Round {round}, block {block} is {found[block]}, and {load.Acknowledged[block]} was acknowledged.");
            }

            WriteAll(next.Queues[0], (byte)(NextHolder + round));
            before = ReadAll(next.Queues[0]);
            Assert.All(before, content => Assert.Equal(NextHolder + value, content));
        }
    }

    private static byte[] ReadAll(BlockQueue queue)
    {
        byte[] found = new byte[Blocks];
        Assert.True(queue.Buffers.TryRent(out BlockBuffer buffer));
        for (int block = 0; block < Blocks; block++)
        {
            Assert.Equal(BlockStatus.Success, queue.Complete(new BlockRequest(BlockOperation.Read, block, 1, buffer, 0)));
            found[block] = buffer.Span[0];
            Assert.Equal(-1, buffer.Span[..BlockSize].IndexOfAnyExcept(found[block])); // A block is whole.
        }

        queue.Buffers.Return(buffer);
        return found;
    }

    private static void WriteAll(BlockQueue queue, byte value)
    {
        Assert.True(queue.Buffers.TryRent(out BlockBuffer buffer));
        buffer.Span.Fill(value);
        for (int block = 0; block < Blocks; block++)
        {
            Assert.Equal(BlockStatus.Success, queue.Complete(new BlockRequest(BlockOperation.Write, block, 1, buffer, 0, WriteDurability.Durable)));
        }

        queue.Buffers.Return(buffer);
    }

    /// <summary>Writes all blocks again and again, many at a time, and notes what the device has acknowledged.</summary>
    private sealed class Load(byte value, byte[] acknowledged)
    {
        private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Completes when some were acknowledged.</summary>
        public Task Started => _started.Task;

        /// <summary>What each block was acknowledged to have last.</summary>
        public byte[] Acknowledged => acknowledged;

        /// <summary>Goes on until it is taken.</summary>
        public void Run(BlockQueue queue)
        {
            Assert.True(queue.Depth >= Depth);
            BlockBuffer[] buffers = new BlockBuffer[Depth];
            for (int i = 0; i < Depth; i++)
            {
                Assert.True(queue.Buffers.TryRent(out buffers[i]));
                buffers[i].Span.Fill(value);
                queue.Submit([Write(i, buffers[i], i)]);
            }

            int next = Depth;
            Span<BlockResult> results = stackalloc BlockResult[Depth];
            while (true)
            {
                int count = queue.Poll(results);
                foreach (BlockResult result in results[..count])
                {
                    Assert.Equal(BlockStatus.Success, result.Status);
                    (int block, int buffer) = ((int)result.Token / Depth, (int)result.Token % Depth);
                    acknowledged[block] = value;
                    queue.Submit([Write(next++ % Blocks, buffers[buffer], buffer)]);
                }

                if (next > Blocks)
                {
                    _ = _started.TrySetResult();
                }
            }
        }

        private static BlockRequest Write(int block, BlockBuffer buffer, int index) =>
            new(BlockOperation.Write, block, 1, buffer, (ulong)(block * Depth + index), WriteDurability.Durable);
    }
}
