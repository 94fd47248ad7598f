using System.Security.Cryptography;
using Arrakis.DataPlane.Rings;
using Arrakis.Wire.Nvme;

namespace Arrakis.DataPlane.Tests.Rings.Nvme;

public sealed class NvmeQueuePairTests
{
    [Fact]
    public void What_is_written_is_read_back()
    {
        using var bed = new NvmeBed();
        byte[] data = RandomNumberGenerator.GetBytes(4096);
        data.CopyTo(bed.Bytes(0, 4096));
        Assert.Equal(new BlockCompletion(3, BlockStatus.Success, 0), bed.Do(bed.Transfer(3, BlockOperation.Write, 100, 8, 0)));
        Assert.Equal(new BlockCompletion(6, BlockStatus.Success, 0), bed.Do(bed.Transfer(6, BlockOperation.Read, 100, 8, 8192)));
        Assert.Equal(data, bed.Bytes(8192, 4096).ToArray());
        Assert.Equal(data[512..1024], bed.Namespace.Block(101).ToArray());
    }

    // Data in one page, to the end of one, in two, in three, from the middle of a page on, up to as much as a list has room for.
    [Theory]
    [InlineData(0, 1)]
    [InlineData(3584, 1)]
    [InlineData(3584, 2)]
    [InlineData(0, 8)]
    [InlineData(512, 8)]
    [InlineData(0, 16)]
    [InlineData(512, 15)]
    [InlineData(512, 16)]
    [InlineData(0, 17)]
    [InlineData(4, 17)]
    [InlineData(3584, 18)]
    [InlineData(0, 256)]
    [InlineData(4092, 256)]
    [InlineData(2048, 255)]
    public void Data_may_lie_anywhere_in_its_pages(int offset, int blocks)
    {
        foreach (bool usesSgl in (bool[])[false, true])
        {
            using var bed = new NvmeBed(usesSgl: usesSgl);
            int length = blocks * NvmeBed.BlockSize;
            byte[] data = RandomNumberGenerator.GetBytes(length);
            data.CopyTo(bed.Bytes(offset, length));
            Assert.Equal(BlockStatus.Success, bed.Do(bed.Transfer(0, BlockOperation.Write, 7, blocks, offset)).Status);
            bed.Bytes(offset, length).Clear();
            Assert.Equal(BlockStatus.Success, bed.Do(bed.Transfer(6, BlockOperation.Read, 7, blocks, offset)).Status);
            Assert.Equal(data, bed.Bytes(offset, length).ToArray());
            bool isLong = offset + length > 2 * NvmeBed.PageSize;
            Assert.Equal(usesSgl && isLong ? 2 : 0, bed.Namespace.SglCommands);
        }
    }

    // Of one length, in three pages, in two, in three.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Each_command_of_a_batch_is_described_by_itself(bool usesSgl)
    {
        using var bed = new NvmeBed(usesSgl: usesSgl);
        int[] offsets = [512, 16384, 32768 + 512, 65536 + 4096, 98304];
        int[] lengths = [16, 16, 16, 16, 8];
        for (int i = 0; i < offsets.Length; i++)
        {
            bed.Bytes(offsets[i], lengths[i] * NvmeBed.BlockSize).Fill((byte)(i + 1));
        }

        Assert.Equal(5, bed.Pair.Submit([.. offsets.Select((offset, i) => bed.Transfer((ushort)i, BlockOperation.Write, (ulong)(16 * i), lengths[i], offset))]));
        bed.Pair.Publish();
        Assert.Equal(5, bed.Serve());
        var completions = new BlockCompletion[8];
        Assert.Equal(5, bed.Pair.TakeCompleted(completions));
        Assert.All(completions.Take(5), static completion => Assert.Equal(BlockStatus.Success, completion.Status));
        for (int i = 0; i < offsets.Length; i++)
        {
            Assert.All(Enumerable.Range(16 * i, lengths[i]), block => Assert.True(bed.Namespace.Block((ulong)block).IndexOfAnyExcept((byte)(i + 1)) < 0, $"Block {block} is another one's."));
        }
    }

    [Fact]
    public void A_transfer_of_a_mebibyte_fits_the_list_of_its_command()
    {
        using var bed = new NvmeBed(size: 4, bufferLength: 1 << 20, maxTransfer: 1 << 20);
        RandomNumberGenerator.Fill(bed.Bytes(0, 1 << 20));
        byte[] data = bed.Bytes(0, 1 << 20).ToArray();
        Assert.Equal(BlockStatus.Success, bed.Do(bed.Transfer(2, BlockOperation.Write, 0, 2048, 0)).Status);
        bed.Bytes(0, 1 << 20).Clear();
        Assert.Equal(BlockStatus.Success, bed.Do(bed.Transfer(1, BlockOperation.Read, 0, 2048, 0)).Status);
        Assert.Equal(data, bed.Bytes(0, 1 << 20).ToArray());
    }

    [Fact]
    public void A_transfer_that_is_longer_than_a_list_is_refused_and_leaves_no_trace()
    {
        using var bed = new NvmeBed(bufferLength: 1 << 20);
        Assert.Throws<ArgumentOutOfRangeException>(() => bed.Pair.Submit([bed.Transfer(0, BlockOperation.Read, 0, 2048, 0)]));
        Assert.Equal(0, bed.Pair.InFlight);
        Assert.Equal(BlockStatus.Success, bed.Do(bed.Transfer(0, BlockOperation.Read, 0, 256, 0)).Status);
    }

    [Fact]
    public void Flush_discard_zeroes_and_forced_unit_access_say_what_the_specification_says()
    {
        using var bed = new NvmeBed();
        bed.Bytes(0, 4096).Fill(1);
        Assert.Equal(BlockStatus.Success, bed.Do(bed.Transfer(0, BlockOperation.Write, 0, 8, 0, durable: true)).Status);
        Assert.Equal(1, bed.Namespace.DurableWrites);
        Assert.Equal(BlockStatus.Success, bed.Do(NvmeBed.Other(1, BlockOperation.Flush)).Status);
        Assert.Equal(1, bed.Namespace.Flushes);
        Assert.Equal(BlockStatus.Success, bed.Do(NvmeBed.Other(2, BlockOperation.Discard, 1, 2)).Status);
        Assert.Equal(BlockStatus.Success, bed.Do(NvmeBed.Other(3, BlockOperation.WriteZeroes, 6, 65536)).Status);
        Assert.Equal([1, 0, 0, 1, 1, 1, 0, 0], Enumerable.Range(0, 8).Select(block => (int)bed.Namespace.Block((ulong)block)[0]));
        Assert.Throws<ArgumentOutOfRangeException>(() => bed.Pair.Submit([NvmeBed.Other(4, BlockOperation.WriteZeroes, 0, 65537)]));
    }

    // An entry that had another command before keeps nothing of it.
    [Fact]
    public void A_flush_after_a_write_in_the_same_entry_has_no_data_and_no_blocks()
    {
        using var bed = new NvmeBed(size: 2);
        Assert.Equal(BlockStatus.Success, bed.Do(bed.Transfer(0, BlockOperation.Write, 903, 256, 512, durable: true)).Status);
        Assert.Equal(BlockStatus.Success, bed.Do(NvmeBed.Other(0, BlockOperation.Flush)).Status);
        bed.Start(NvmeBed.Other(0, BlockOperation.Flush));
        Assert.True(bed.Device.TryFetch(out NvmeCommand command));
        Assert.Equal(new NvmeCommand(NvmeOpcode.Flush, 0, 1), command);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(64)]
    [InlineData(4096)]
    [InlineData(32768)]
    [InlineData(65536)]
    public void Queues_of_all_sizes_go_round_and_the_phase_turns(int size)
    {
        using var bed = new NvmeBed(size, maxTransfer: 4096);
        Assert.Equal(size - 1, bed.Pair.Depth);
        var commands = new BlockCommand[size];
        var completions = new BlockCompletion[size];
        int next = 0;
        for (int round = 0; round < 5; round++)
        {
            // All tags, from another one on each time; the last command has no room.
            for (int i = 0; i < size; i++)
            {
                commands[i] = NvmeBed.Other((ushort)((next + i) % (size - 1)), BlockOperation.Flush);
            }

            Assert.Equal(size - 1, bed.Pair.Submit(commands));
            Assert.Equal(0, bed.Pair.Submit(commands));
            bed.Pair.Publish();
            Assert.Equal(size - 1, bed.Serve());
            Assert.Equal(size - 1, bed.Pair.TakeCompleted(completions));
            Assert.Equal(commands.Take(size - 1).Select(static command => command.Tag), completions.Take(size - 1).Select(static completion => completion.Tag));
            Assert.Equal(0, bed.Pair.TakeCompleted(completions));
            Assert.Equal((bed.Device.Posted % (uint)size, bed.Device.Fetched % (uint)size), (bed.Head, bed.Tail));
            next += 3;
        }
    }

    [Fact]
    public void A_batch_is_one_store_to_a_doorbell_and_nothing_is_shown_before()
    {
        using var bed = new NvmeBed();
        Assert.Equal(3, bed.Pair.Submit([NvmeBed.Other(0, BlockOperation.Flush), NvmeBed.Other(1, BlockOperation.Flush), NvmeBed.Other(2, BlockOperation.Flush)]));
        Assert.Equal(0, bed.Serve());
        bed.Pair.Publish();
        Assert.Equal((3u, 0u), (bed.Tail, bed.Head));
        Assert.Equal(3, bed.Serve());
        Assert.Equal(3, bed.Pair.TakeCompleted(new BlockCompletion[8]));
        Assert.Equal(3u, bed.Head);
    }

    [Fact]
    public void Completions_that_do_not_fit_wait_for_the_next_call()
    {
        using var bed = new NvmeBed();
        Assert.Equal(5, bed.Pair.Submit([.. Enumerable.Range(0, 5).Select(static tag => NvmeBed.Other((ushort)tag, BlockOperation.Flush))]));
        bed.Pair.Publish();
        Assert.Equal(5, bed.Serve());
        var completions = new BlockCompletion[3];
        Assert.Equal(3, bed.Pair.TakeCompleted(completions));
        Assert.Equal(2, bed.Pair.InFlight);
        Assert.False(bed.Pair.TryArmEvents());
        Assert.Equal(2, bed.Pair.TakeCompleted(completions));
        Assert.True(bed.Pair.TryArmEvents());
    }

    [Fact]
    public void A_tag_that_is_with_the_device_or_beyond_the_depth_is_refused()
    {
        using var bed = new NvmeBed();
        bed.Start(NvmeBed.Other(1, BlockOperation.Flush));
        Assert.Throws<ArgumentException>(() => bed.Pair.Submit([NvmeBed.Other(1, BlockOperation.Flush)]));
        Assert.Throws<ArgumentException>(() => bed.Pair.Submit([NvmeBed.Other(7, BlockOperation.Flush)]));
        Assert.Equal(1, bed.Pair.InFlight);
    }

    [Theory]
    [InlineData(NvmeStatus.LbaOutOfRange, BlockStatus.OutOfRange)]
    [InlineData(NvmeStatus.CapacityExceeded, BlockStatus.NoSpace)]
    [InlineData(NvmeStatus.InvalidOpcode, BlockStatus.Unsupported)]
    [InlineData(NvmeStatus.InvalidField, BlockStatus.Unsupported)]
    [InlineData(NvmeStatus.InvalidNamespace, BlockStatus.Unsupported)]
    [InlineData(NvmeStatus.NamespaceWriteProtected, BlockStatus.ReadOnly)]
    [InlineData(NvmeStatus.WriteToReadOnlyRange, BlockStatus.ReadOnly)]
    [InlineData(NvmeStatus.AccessDenied, BlockStatus.ReadOnly)]
    [InlineData(NvmeStatus.WriteFault, BlockStatus.MediaError)]
    [InlineData(NvmeStatus.UnrecoveredRead, BlockStatus.MediaError)]
    [InlineData(NvmeStatus.DeallocatedBlock, BlockStatus.MediaError)]
    [InlineData(NvmeStatus.GuardCheckError, BlockStatus.IntegrityError)]
    [InlineData(NvmeStatus.ReferenceTagCheckError, BlockStatus.IntegrityError)]
    [InlineData(NvmeStatus.CompareFailure, BlockStatus.IntegrityError)]
    [InlineData(NvmeStatus.AbortRequested, BlockStatus.Aborted)]
    [InlineData(NvmeStatus.AbortedPowerLoss, BlockStatus.Aborted)]
    [InlineData(NvmeStatus.AbortedByHost, BlockStatus.Aborted)]
    [InlineData(NvmeStatus.NamespaceNotReady, BlockStatus.Busy)]
    [InlineData(NvmeStatus.CommandInterrupted, BlockStatus.Busy)]
    [InlineData(NvmeStatus.ReservationConflict, BlockStatus.Busy)]
    [InlineData(NvmeStatus.InternalError, BlockStatus.DeviceFault)]
    [InlineData(NvmeStatus.DataTransferError, BlockStatus.DeviceFault)]
    [InlineData(0x1FF, BlockStatus.Unsupported)]
    [InlineData(0x2F0, BlockStatus.MediaError)]
    [InlineData(0x302, BlockStatus.Busy)]
    [InlineData(0x7C5, BlockStatus.DeviceFault)]
    public void A_status_has_a_meaning_and_its_own_code(int code, BlockStatus expected)
    {
        using var bed = new NvmeBed();
        bed.Start(NvmeBed.Other(2, BlockOperation.Flush));
        Assert.True(bed.Device.TryFetch(out NvmeCommand command));
        bed.Device.Complete(command.Id, (ushort)(code | 1 << 14)); // Not to be retried, which changes nothing of what it means.
        var completions = new BlockCompletion[1];
        Assert.Equal(1, bed.Pair.TakeCompleted(completions));
        Assert.Equal(new BlockCompletion(2, expected, (ushort)code), completions[0]);
    }

    // Only the control plane deletes a queue: how its commands end is for the status page to say.
    [Fact]
    public void What_a_deleted_queue_aborts_is_not_completed()
    {
        using var bed = new NvmeBed();
        for (ushort tag = 1; tag <= 4; tag++)
        {
            bed.Start(NvmeBed.Other(tag, BlockOperation.Flush));
        }

        foreach (ushort status in (ushort[])[NvmeStatus.AbortedQueueDeleted, NvmeStatus.Success, NvmeStatus.AbortedQueueDeleted, NvmeStatus.InternalError])
        {
            Assert.True(bed.Device.TryFetch(out NvmeCommand command));
            bed.Device.Complete(command.Id, (ushort)(status | 1 << 14));
        }

        var completions = new BlockCompletion[8];
        Assert.Equal(2, bed.Pair.TakeCompleted(completions));
        Assert.Equal(
            [new BlockCompletion(2, BlockStatus.Success, 0), new BlockCompletion(4, BlockStatus.DeviceFault, NvmeStatus.InternalError)], completions[..2]);
        Assert.Equal(2, bed.Pair.InFlight);
        Assert.Equal(0, bed.Pair.TakeCompleted(completions));
        Assert.Throws<ArgumentException>(() => bed.Pair.Submit([NvmeBed.Other(1, BlockOperation.Flush)]));
        Assert.Throws<ArgumentException>(() => bed.Pair.Submit([NvmeBed.Other(3, BlockOperation.Flush)]));
    }

    [Fact]
    public void Every_status_that_there_may_be_is_typed()
    {
        for (int value = 1; value < 1 << 15; value++)
        {
            var status = new NvmeStatus((ushort)value);
            Assert.Equal(status.IsSuccess, NvmeBlockStatus.Of(status) == BlockStatus.Success);
        }
    }

    [Fact]
    public void Blocks_beyond_the_namespace_are_refused_by_the_device()
    {
        using var bed = new NvmeBed(blocks: 100);
        Assert.Equal(new BlockCompletion(0, BlockStatus.OutOfRange, NvmeStatus.LbaOutOfRange), bed.Do(bed.Transfer(0, BlockOperation.Write, 96, 8, 0)));
        Assert.Equal(new BlockCompletion(0, BlockStatus.OutOfRange, NvmeStatus.LbaOutOfRange), bed.Do(NvmeBed.Other(0, BlockOperation.Discard, 1UL << 60, 8)));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(256)]
    public void A_million_commands_allocate_nothing(int size)
    {
        using var bed = new NvmeBed(size, maxTransfer: 64 << 10);
        int batch = Math.Min(32, size - 1);
        var commands = new BlockCommand[batch];
        var completions = new BlockCompletion[batch];
        for (int i = 0; i < batch; i++)
        {
            commands[i] = bed.Transfer((ushort)i, i % 2 == 0 ? BlockOperation.Write : BlockOperation.Read, (ulong)i, i % 3 == 0 ? 64 : 8, 0);
        }

        void Round()
        {
            _ = bed.Pair.Submit(commands);
            bed.Pair.Publish();
            while (bed.Device.TryFetch(out NvmeCommand command))
            {
                bed.Device.Complete(command.Id);
            }

            Assert.True(bed.Pair.TakeCompleted(completions) == batch);
        }

        Round();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1_000_000 / batch; i++)
        {
            Round();
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }
}
