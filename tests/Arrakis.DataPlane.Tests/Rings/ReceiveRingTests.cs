using Arrakis.DataPlane.Rings;
using Arrakis.DataPlane.Tests.Device;
using Arrakis.SoftDevice.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Tests.Rings;

public sealed class ReceiveRingTests
{
    [Theory]
    [InlineData(2)]
    [InlineData(8)]
    [InlineData(256)]
    public void Frames_come_in_order_and_whole_when_all_indices_wrap(int queueSize)
    {
        using var rings = new TestRings(queueSize, queueSize * 3);
        FrameSequence.AssertInOrder(rings.Receive, frame => rings.Device.TryDeliver(frame), rings.Bytes, 70_000);
    }

    [Fact]
    public void A_ring_that_nobody_reads_takes_as_many_frames_as_it_has_descriptors()
    {
        using var rings = new TestRings(queueSize: 8);
        for (int i = 0; i < 8; i++)
        {
            Assert.True(rings.Device.TryDeliver([(byte)i]));
        }

        Assert.False(rings.Device.TryDeliver([8]));
        var batch = new ReceivedFrame[64];
        Assert.Equal(8, rings.Receive.Receive(batch));
        Assert.Equal(0, rings.Receive.Receive(batch));
        rings.Receive.Release(batch.AsSpan(0, 8));
        Assert.True(rings.Device.TryDeliver([8]));
        Assert.Equal(1, rings.Receive.Receive(batch));
        Assert.Equal([8], rings.Bytes(batch[0]));
    }

    [Fact]
    public void A_batch_takes_no_more_than_fits()
    {
        using var rings = new TestRings(queueSize: 8);
        for (int i = 0; i < 5; i++)
        {
            rings.Device.Deliver([(byte)i]);
        }

        var batch = new ReceivedFrame[3];
        Assert.Equal(3, rings.Receive.Receive(batch));
        rings.Receive.Release(batch);
        Assert.Equal(2, rings.Receive.Receive(batch));
        Assert.Equal([3], rings.Bytes(batch[0]));
        Assert.Equal([4], rings.Bytes(batch[1]));
    }

    [Fact]
    public void A_taken_buffer_keeps_its_bytes_while_the_ring_goes_round()
    {
        using var rings = new TestRings(queueSize: 4, buffers: 8);
        var batch = new ReceivedFrame[4];
        rings.Device.Deliver("kept"u8);
        Assert.Equal(1, rings.Receive.Receive(batch));
        Assert.True(rings.Receive.TryTake(ref batch[0]));
        ReceivedFrame kept = batch[0];
        rings.Receive.Release(batch.AsSpan(0, 1));
        for (int i = 0; i < 100; i++)
        {
            rings.Device.Deliver("others"u8);
            Assert.Equal(1, rings.Receive.Receive(batch));
            rings.Receive.Release(batch.AsSpan(0, 1));
        }

        Assert.Equal("kept"u8.ToArray(), rings.Bytes(kept));
        int free = rings.Pool.FreeCount;
        rings.Pool.Return(kept.Buffer);
        Assert.Equal(free + 1, rings.Pool.FreeCount);
    }

    [Fact]
    public void Nothing_can_be_taken_while_the_pool_is_empty_and_the_ring_goes_on()
    {
        using var rings = new TestRings(queueSize: 4, buffers: 4);
        var batch = new ReceivedFrame[4];
        rings.Device.Deliver([1]);
        Assert.Equal(1, rings.Receive.Receive(batch));
        Assert.False(rings.Receive.TryTake(ref batch[0]));
        rings.Receive.Release(batch.AsSpan(0, 1));
        for (int i = 0; i < 4; i++)
        {
            rings.Device.Deliver([2]);
        }

        Assert.Equal(4, rings.Receive.Receive(batch));
    }

    [Fact]
    public void A_handle_of_a_released_batch_is_stale()
    {
        using var rings = new TestRings();
        var batch = new ReceivedFrame[1];
        rings.Device.Deliver([1]);
        Assert.Equal(1, rings.Receive.Receive(batch));
        rings.Receive.Release(batch);
        Assert.Throws<InvalidOperationException>(() => rings.Bytes(batch[0]));
    }

    [Fact]
    public void A_pool_smaller_than_the_ring_is_an_invalid_grant()
    {
        InvalidGrantException error = Assert.Throws<InvalidGrantException>(() => new TestRings(queueSize: 8, buffers: 7).Dispose());
        Assert.Contains("7 buffers", error.Cause, StringComparison.Ordinal);
    }

    [Fact]
    public void The_doorbell_rings_only_while_the_device_asks_for_it()
    {
        using var rings = new TestRings(queueSize: 4);
        _ = rings.Device.ReceiveKick.TryDrain();
        Cycle(rings);
        Assert.False(rings.Device.ReceiveKick.TryDrain());
        rings.Device.ToDriver.RequestNotification(true);
        Cycle(rings);
        Assert.True(rings.Device.ReceiveKick.TryDrain());
        rings.Device.ToDriver.RequestNotification(false);
        Cycle(rings);
        Assert.False(rings.Device.ReceiveKick.TryDrain());
    }

    [Fact]
    public void Events_are_armed_only_while_nothing_waits()
    {
        using var rings = new TestRings();
        Assert.False(rings.Device.ToDriver.DriverWantsEvent);
        rings.Device.Deliver([1]);
        Assert.False(rings.Receive.TryArmEvents());
        Assert.False(rings.Device.ToDriver.DriverWantsEvent);
        var batch = new ReceivedFrame[1];
        Assert.Equal(1, rings.Receive.Receive(batch));
        rings.Receive.Release(batch);
        Assert.True(rings.Receive.TryArmEvents());
        Assert.True(rings.Device.ToDriver.DriverWantsEvent);
        rings.Receive.DisarmEvents();
        Assert.False(rings.Device.ToDriver.DriverWantsEvent);
    }

    [Fact]
    public void Arming_gives_the_device_what_was_kept_back_for_the_next_lot()
    {
        using var rings = new TestRings(queueSize: 8);
        var batch = new ReceivedFrame[8];
        for (int i = 0; i < 8; i++)
        {
            rings.Device.Deliver([1]);
        }

        Assert.Equal(1, rings.Receive.Receive(batch.AsSpan(0, 1)));
        rings.Receive.Release(batch.AsSpan(0, 1));
        Assert.False(rings.Device.TryDeliver([2]));
        Assert.Equal(7, rings.Receive.Receive(batch));
        rings.Receive.Release(batch.AsSpan(0, 7));
        Assert.True(rings.Receive.TryArmEvents());
        for (int i = 0; i < 8; i++)
        {
            Assert.True(rings.Device.TryDeliver([2]));
        }
    }

    [Fact]
    public async Task No_wake_up_is_lost_between_arming_and_a_frame_that_comes_just_then()
    {
        const int Rounds = 20_000;
        using var rings = new TestRings(queueSize: 8);
        Task device = Task.Run(
            () =>
            {
                Span<byte> header = stackalloc byte[VirtioNetHeader.Length];
                header.Clear();
                for (int sent = 0; sent < Rounds;)
                {
                    if (rings.Device.ToDriver.TryWrite(header, [1]) == RingWrite.Full)
                    {
                        Thread.SpinWait(10);
                        continue;
                    }

                    sent++;
                    rings.Device.ToDriver.Publish();
                    Interlocked.MemoryBarrier();
                    if (rings.Device.ToDriver.DriverWantsEvent)
                    {
                        rings.Device.Event.Signal();
                    }
                }
            },
            TestContext.Current.CancellationToken);
        var batch = new ReceivedFrame[8];
        int received = 0;
        while (received < Rounds)
        {
            int count = rings.Receive.Receive(batch);
            received += count;
            rings.Receive.Release(batch.AsSpan(0, count));
            if (count == 0 && rings.Receive.TryArmEvents())
            {
                Assert.True(rings.Device.Event.Wait((int)TestDevice.Deadline.TotalMilliseconds), $"slept through frame {received}");
                rings.Receive.DisarmEvents();
            }
        }

        await device;
    }

    private static void Cycle(TestRings rings)
    {
        var batch = new ReceivedFrame[4];
        for (int i = 0; i < 4; i++)
        {
            rings.Device.Deliver([1]);
        }

        Assert.Equal(4, rings.Receive.Receive(batch));
        rings.Receive.Release(batch);
    }
}
