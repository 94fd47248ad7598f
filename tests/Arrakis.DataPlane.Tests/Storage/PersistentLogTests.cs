using CsCheck;

namespace Arrakis.DataPlane.Tests.Storage;

public sealed class PersistentLogTests
{
    [Fact]
    public void A_lone_append_is_one_durable_write()
    {
        MemoryArea area = Memory(4096, 64, 4096 * 4);
        PersistentLog log = Now(PersistentLog.CreateAsync(area));
        long before = area.Writes;
        LogPosition position = Now(log.AppendAsync(new byte[1024]));

        Assert.Equal(before + 1, area.Writes);
        Assert.Equal(48, position.Value);
        Assert.Equal(4096, log.End.Value);
    }

    [Fact]
    public void An_append_allocates_nothing()
    {
        MemoryArea area = Memory(4096, 4096, 4096 * 4);
        PersistentLog log = Now(PersistentLog.CreateAsync(area));
        byte[] record = new byte[1024];
        Append(log, record, 1_000);

        long before = GC.GetAllocatedBytesForCurrentThread();
        Append(log, record, 2_000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        static void Append(PersistentLog log, byte[] record, int times)
        {
            for (int i = 0; i < times; i++)
            {
                ValueTask<LogPosition> append = log.AppendAsync(record);
                Assert.True(append.IsCompletedSuccessfully);
                _ = append.Result;
            }
        }
    }

    [Fact]
    public void What_is_appended_while_a_write_is_under_way_goes_out_in_the_next_and_allocates_nothing()
    {
        _ = Simulation.Run("group", () =>
        {
            var area = new HeldArea(Memory(4096, 4096, 4096 * 16));
            PersistentLog log = Now(PersistentLog.CreateAsync(area));
            byte[] record = new byte[100];
            var appends = new ValueTask<LogPosition>[33];
            area.Hold = true;
            Round(); // Makes the operations.
            long writes = area.Inner.Writes;
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 100; i++)
            {
                Round();
            }

            Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
            Assert.Equal(200, area.Inner.Writes - writes); // The first alone, then 32 together.
            return 0;

            void Round()
            {
                for (int i = 0; i < appends.Length; i++)
                {
                    appends[i] = log.AppendAsync(record);
                    Assert.False(appends[i].IsCompleted);
                }

                area.Release();
                Assert.True(appends[0].IsCompletedSuccessfully);
                Assert.False(appends[1].IsCompleted);
                area.Release();
                long last = -1;
                foreach (ValueTask<LogPosition> append in appends)
                {
                    Assert.True(append.IsCompletedSuccessfully);
                    long position = append.Result.Value;
                    Assert.True(position > last);
                    last = position;
                }
            }
        });
    }

    [Fact]
    public void Appends_that_continue_in_the_completion_go_out_together()
    {
        _ = Simulation.Run("loops", () =>
        {
            var area = new HeldArea(Memory(4096, 4096, 4096 * 16));
            PersistentLog log = Now(PersistentLog.CreateAsync(area));
            area.Hold = true;
            int done = 0;
            for (int i = 0; i < 32; i++)
            {
                _ = Loop();
            }

            long before = area.Inner.Writes;
            while (done < 32 * 50)
            {
                area.Release();
            }

            Assert.InRange(area.Inner.Writes - before, 50, 60);
            return 0;

            async Task Loop()
            {
                byte[] record = new byte[200];
                for (int i = 0; i < 50; i++)
                {
                    _ = await log.AppendAsync(record);
                    done++;
                }
            }
        });
    }

    [Fact]
    public void A_failed_write_fails_all_that_wait_and_the_log_until_it_is_opened_again()
    {
        _ = Simulation.Run("failure", () =>
        {
            var area = new HeldArea(Memory(512, 64, 1024));
            PersistentLog log = Now(PersistentLog.CreateAsync(area));
            _ = Now(log.AppendAsync(new byte[] { 1 }));
            area.Hold = true;
            Task[] appends = [.. Enumerable.Range(0, 5).Select(_ => log.AppendAsync(new byte[900]).AsTask())];
            area.Fail = new BlockRequestException(BlockOperation.Write, 1, 1, BlockStatus.MediaError, 0x281);
            while (area.Release())
            {
            }

            Assert.All(appends, append => Assert.Same(area.Fail, append.Exception!.InnerException));
            Assert.Same(area.Fail, Assert.Throws<BlockRequestException>(() => { _ = log.AppendAsync(new byte[1]); }));
            area.Hold = false;
            Now(log.DisposeAsync());
            Assert.Equal(area.Buffers.Count, area.Buffers.FreeCount);
            PersistentLog again = Now(PersistentLog.OpenAsync(area));
            Assert.True(again.Recovery.Records is 1 && !again.Recovery.WasClosed);
            return 0;
        });
    }

    [Fact]
    public void Appends_trims_wraps_and_reopenings_are_those_of_a_list()
    {
        Gen<int[]> script = Gen.Int[0, 9_999].Array[1, 120];
        Gen.Select(script, Gen.Int[0, 1], Gen.Int[10, 40], Gen.Int[1, 4]).Sample(
            (steps, size, blocks, bufferBlocks) =>
            {
                int blockSize = size == 0 ? 512 : 4096;
                MemoryArea area = Memory(blockSize, blocks, bufferBlocks * blockSize);
                PersistentLog log = Now(PersistentLog.CreateAsync(area));
                List<(LogPosition Position, byte[] Bytes)> model = [];
                foreach (int step in steps)
                {
                    int number = step / 10;
                    switch (step % 10)
                    {
                        case 0:
                            Now(log.DisposeAsync());
                            log = Now(PersistentLog.OpenAsync(area));
                            Assert.Equal(model.Count, log.Recovery.Records);
                            break;
                        case 1:
                            area = new MemoryArea(area.Content, blockSize, BlockBufferPool.Allocate(8, bufferBlocks * blockSize));
                            log = Now(PersistentLog.OpenAsync(area)); // Nobody closed it.
                            Assert.Equal(model.Count, log.Recovery.Records);
                            break;
                        case 2 when model.Count > 0:
                            int trimmed = number % (model.Count + 1);
                            Now(log.TrimAsync(trimmed == model.Count ? log.End : model[trimmed].Position));
                            model.RemoveRange(0, trimmed);
                            break;
                        case 3 when model.Count > 0:
                            int from = number % model.Count;
                            Assert.Equal(model.Skip(from).Select(static entry => entry.Position), Read(log, model[from].Position).Select(static entry => entry.Position));
                            break;
                        default:
                            byte[] bytes = [.. Enumerable.Range(0, number * blockSize / 400).Select(i => (byte)(i * 31 + step))];
                            if (bytes.Length <= log.MaxRecordLength && log.HasRoomFor(bytes.Length))
                            {
                                model.Add((Now(log.AppendAsync(bytes)), bytes));
                            }

                            break;
                    }

                    List<(LogPosition Position, byte[] Bytes)> found = Read(log, log.Head);
                    Assert.Equal(model.Select(static entry => entry.Position), found.Select(static entry => entry.Position));
                    Assert.Equal(model.Select(static entry => entry.Bytes), found.Select(static entry => entry.Bytes));
                }
            },
            seed: Seeds.Fixed,
            iter: 100);
    }

    [Fact]
    public void Positions_outside_of_the_log_are_refused()
    {
        MemoryArea area = Memory(512, 20, 1024);
        PersistentLog log = Now(PersistentLog.CreateAsync(area));
        LogPosition first = Now(log.AppendAsync(new byte[10]));
        LogPosition second = Now(log.AppendAsync(new byte[10]));
        Now(log.TrimAsync(second));

        Assert.Throws<ArgumentOutOfRangeException>(() => Read(log, first));
        Assert.Throws<ArgumentOutOfRangeException>(() => Read(log, new LogPosition(log.End.Value + 1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => Now(log.TrimAsync(new LogPosition(log.End.Value + 1))));
        Assert.Equal(second, Assert.Single(Read(log, log.Head)).Position);
        Assert.Throws<ArgumentException>(() => Now(PersistentLog.CreateAsync(Memory(512, 9, 512))));
        Now(log.DisposeAsync());
        Assert.Throws<ObjectDisposedException>(() => { _ = log.AppendAsync(new byte[1]); });
    }

    [Fact]
    public void A_log_of_an_area_of_another_size_is_refused()
    {
        MemoryArea area = Memory(512, 20, 1024);
        _ = Now(PersistentLog.CreateAsync(area));
        var longer = new MemoryArea([.. area.Content, .. new byte[512 * 4]], 512, BlockBufferPool.Allocate(8, 1024));

        Assert.Equal("the log there is of an area of another size", Assert.Throws<DataCorruptException>(() => Now(PersistentLog.OpenOrCreateAsync(longer))).Reason);
    }

    [Fact]
    public void The_checksum_is_crc32c()
    {
        // RFC 3720 appendix B.4.
        Assert.Equal(0x8A9136AAu, DataPlane.Storage.Crc32C.Of(new byte[32]));
        Assert.Equal(0x62A8AB43u, DataPlane.Storage.Crc32C.Of(Enumerable.Repeat((byte)0xFF, 32).ToArray()));
        Assert.Equal(0x46DD794Eu, DataPlane.Storage.Crc32C.Of(Enumerable.Range(0, 32).Select(static i => (byte)i).ToArray()));

        // However it is cut into lanes.
        byte[] bytes = new byte[5_000];
        new Random(1).NextBytes(bytes);
        for (int length = 0; length < bytes.Length; length += 37)
        {
            uint plain = uint.MaxValue;
            for (int i = 0; i < length; i++)
            {
                plain = System.Numerics.BitOperations.Crc32C(plain, bytes[i]);
            }

            Assert.Equal(~plain, DataPlane.Storage.Crc32C.Of(bytes.AsSpan(0, length)));
        }
    }

    private static MemoryArea Memory(int blockSize, int blocks, int bufferSize) => new(new byte[blockSize * blocks], blockSize, BlockBufferPool.Allocate(8, bufferSize));

    private static T Now<T>(ValueTask<T> task) => task.AsTask().GetAwaiter().GetResult();

    private static void Now(ValueTask task) => task.AsTask().GetAwaiter().GetResult();

    private static List<(LogPosition Position, byte[] Bytes)> Read(PersistentLog log, LogPosition from)
    {
        List<(LogPosition, byte[])> found = [];
        Now(All());
        return found;

        async ValueTask All()
        {
            await foreach (LogRecord record in log.ReadAsync(from))
            {
                found.Add((record.Position, record.Data.ToArray()));
            }
        }
    }
}
