using Arrakis.Contract;
using Arrakis.DataPlane.Rings;
using Arrakis.Wire.Nvme;

namespace Arrakis.DataPlane.Tests.Rings.Nvme;

/// <summary>A controller that writes what none should.</summary>
public sealed class HostileNvmeTests
{
    private readonly BlockCompletion[] _completions = new BlockCompletion[8];

    [Theory]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(0xFFFF)]
    public void An_id_beyond_the_queue_is_refused(int id)
    {
        using NvmeBed bed = WithCommands(3);
        bed.Device.Complete((ushort)id);
        Refused(bed, $"command {id} in a queue pair of 7");
    }

    [Fact]
    public void An_id_that_is_not_with_the_device_is_refused()
    {
        using NvmeBed bed = WithCommands(3);
        bed.Device.Complete(3);
        Refused(bed, "command 3 is not with the device");
    }

    [Fact]
    public void A_second_completion_of_a_command_is_refused()
    {
        using NvmeBed bed = WithCommands(3);
        bed.Device.Complete(1);
        bed.Device.Complete(1);
        Refused(bed, "command 1 is not with the device");
    }

    [Fact]
    public void A_second_completion_in_a_later_batch_is_refused()
    {
        using NvmeBed bed = WithCommands(3);
        bed.Device.Complete(1);
        Assert.Equal(1, bed.Pair.TakeCompleted(_completions));
        bed.Device.Complete(1);
        Refused(bed, "command 1 is not with the device");
    }

    [Theory]
    [InlineData(4)] // Behind what was submitted.
    [InlineData(8)] // Beyond the queue.
    [InlineData(0xFFFF)]
    public void A_submission_queue_head_beyond_what_was_submitted_is_refused(int head)
    {
        using NvmeBed bed = WithCommands(3);
        bed.Device.Write((uint)head, NvmeCompletion.ComposeDword3(0, phase: true, new NvmeStatus(0)));
        Refused(bed, $"head of {head}");
    }

    [Fact]
    public void A_submission_queue_head_that_goes_back_is_refused()
    {
        using NvmeBed bed = WithCommands(3);
        bed.Device.Write(2, NvmeCompletion.ComposeDword3(0, phase: true, new NvmeStatus(0)));
        bed.Device.Write(1, NvmeCompletion.ComposeDword3(1, phase: true, new NvmeStatus(0)));
        Refused(bed, "head of 1");
    }

    [Fact]
    public void An_entry_with_the_old_phase_is_no_completion_and_the_new_one_behind_it_shows_that_one_is_wrong()
    {
        using NvmeBed bed = WithCommands(3);
        bed.Device.Write(3, NvmeCompletion.ComposeDword3(0, phase: false, new NvmeStatus(0)));
        for (int i = 0; i < 1000; i++)
        {
            Assert.Equal(0, bed.Pair.TakeCompleted(_completions));
        }

        bed.Device.Write(3, NvmeCompletion.ComposeDword3(1, phase: true, new NvmeStatus(0)));
        Assert.Contains("wrong phase tag", Assert.Throws<RingCorruptException>(() => PollOften(bed)).Message, StringComparison.Ordinal);
        Assert.Throws<RingCorruptException>(() => bed.Pair.TryArmEvents());
        Assert.Equal(3, bed.Pair.InFlight);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(8)]
    public void No_phase_is_wrong_where_a_queue_is_just_empty(int size)
    {
        using var bed = new NvmeBed(size);
        for (int i = 0; i < 4 * size; i++)
        {
            bed.Start(NvmeBed.Other(0, BlockOperation.Flush));
            PollOften(bed);
            Assert.True(bed.Pair.TryArmEvents());
            Assert.Equal(1, bed.Serve());
            Assert.Equal(1, bed.Pair.TakeCompleted(_completions));
        }
    }

    [Fact]
    public void A_command_that_is_never_completed_stays_in_flight_and_the_others_go_on()
    {
        using NvmeBed bed = WithCommands(1);
        for (int i = 0; i < 100; i++)
        {
            bed.Start(NvmeBed.Other(1, BlockOperation.Flush));
            Assert.True(bed.Device.TryFetch(out NvmeCommand command));
            bed.Device.Complete(command.Id);
            Assert.Equal(1, bed.Pair.TakeCompleted(_completions));
        }

        Assert.Equal(1, bed.Pair.InFlight);
    }

    [Fact]
    public void A_completion_that_nobody_waits_for_is_refused_when_the_queue_is_idle()
    {
        using var bed = new NvmeBed();
        bed.Device.Complete(0);
        Refused(bed, "command 0 is not with the device");
    }

    [Fact]
    public void Garbage_in_the_whole_completion_queue_is_refused()
    {
        using NvmeBed bed = WithCommands(7);
        for (uint place = 0; place < 8; place++)
        {
            bed.Device.WriteAt(place, uint.MaxValue, uint.MaxValue, uint.MaxValue);
        }

        Refused(bed, "command 65535");
    }

    private static void Refused(NvmeBed bed, string reason)
    {
        RingCorruptException e = Assert.Throws<RingCorruptException>(() => bed.Pair.TakeCompleted(new BlockCompletion[8]));
        Assert.Equal(ErrorCode.RingCorrupt, e.Code);
        Assert.Contains(reason, e.Message, StringComparison.Ordinal);
    }

    private static NvmeBed WithCommands(int count)
    {
        var bed = new NvmeBed();
        for (int tag = 0; tag < count; tag++)
        {
            bed.Start(NvmeBed.Other((ushort)tag, BlockOperation.Flush));
            Assert.True(bed.Device.TryFetch(out _));
        }

        return bed;
    }

    private void PollOften(NvmeBed bed)
    {
        for (int i = 0; i < 1000; i++)
        {
            Assert.Equal(0, bed.Pair.TakeCompleted(_completions));
        }
    }
}
