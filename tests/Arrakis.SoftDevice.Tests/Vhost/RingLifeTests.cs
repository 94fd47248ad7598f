using Arrakis.Native.Events;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.Wire.VhostUser;
using static Arrakis.SoftDevice.Tests.Support.DeviceUnderTest;

namespace Arrakis.SoftDevice.Tests.Vhost;

public sealed class RingLifeTests : IDisposable
{
    private readonly DeviceUnderTest _device = new();

    public RingLifeTests()
    {
        _device.Configure(0);
        _device.Configure(1);
    }

    public void Dispose() => _device.Dispose();

    [Theory]
    [InlineData("features")]
    [InlineData("memory")]
    [InlineData("size")]
    [InlineData("address")]
    public void A_ring_that_lacks_something_cannot_be_kicked_off(string missing)
    {
        using FrontEnd frontEnd = _device.Connect(0);
        if (missing != "features")
        {
            frontEnd.Negotiate();
        }

        frontEnd.MakeMemory();
        if (missing != "memory")
        {
            frontEnd.SetMemory();
        }

        if (missing != "size")
        {
            frontEnd.SendState(VhostUserRequest.SetVringSize, 0, 256);
        }

        if (missing != "address")
        {
            frontEnd.Send(VhostUserRequest.SetVringAddress, FrontEnd.Addresses(0, frontEnd.Receive));
        }

        frontEnd.Send(VhostUserRequest.SetVringKick, 0UL, frontEnd.Kicks[0].Descriptor);
        Assert.True(frontEnd.IsClosed());
    }

    [Theory]
    [InlineData(VhostUserRequest.SetVringSize, 16u, 256u)]
    [InlineData(VhostUserRequest.SetVringSize, 0u, 0u)]
    [InlineData(VhostUserRequest.SetVringSize, 0u, 1u)]
    [InlineData(VhostUserRequest.SetVringSize, 0u, 255u)]
    [InlineData(VhostUserRequest.SetVringSize, 0u, 65536u)]
    [InlineData(VhostUserRequest.SetVringSize, 0u, uint.MaxValue)]
    [InlineData(VhostUserRequest.SetVringBase, 0u, 65536u)]
    [InlineData(VhostUserRequest.SetVringBase, uint.MaxValue, 0u)]
    [InlineData(VhostUserRequest.SetVringEnable, 0u, 2u)]
    [InlineData(VhostUserRequest.SetVringEnable, 16u, 1u)]
    [InlineData(VhostUserRequest.GetVringBase, 16u, 0u)]
    public void A_state_out_of_range_ends_the_session(VhostUserRequest request, uint index, uint value)
    {
        using FrontEnd frontEnd = _device.Connect(0);
        frontEnd.Negotiate();
        frontEnd.SendState(request, index, value);
        Assert.True(frontEnd.IsClosed());
    }

    [Fact]
    public void A_ring_longer_than_the_device_was_told_is_refused()
    {
        using var device = new DeviceUnderTest(1, maxQueueSize: 128);
        using FrontEnd frontEnd = device.Connect(0);
        frontEnd.SendState(VhostUserRequest.SetVringSize, 0, 128);
        frontEnd.Barrier();
        frontEnd.SendState(VhostUserRequest.SetVringSize, 0, 256);
        Assert.True(frontEnd.IsClosed());
    }

    [Theory]
    [InlineData(0)] // descriptor table: 16
    [InlineData(1)] // available ring: 2
    [InlineData(2)] // used ring: 4
    [InlineData(3)] // past the memory
    [InlineData(4)] // log
    public void Parts_of_a_ring_that_are_misaligned_or_outside_are_refused(int part)
    {
        using FrontEnd frontEnd = _device.Connect(0);
        frontEnd.Negotiate();
        frontEnd.SetMemory();
        frontEnd.SendState(VhostUserRequest.SetVringSize, 0, 256);
        byte[] payload = FrontEnd.Addresses(0, frontEnd.Receive);
        Assert.True(VringAddress.TryRead(payload, out VringAddress address));
        address = part switch
        {
            0 => address with { Descriptor = address.Descriptor + 8 },
            1 => address with { Available = address.Available + 1 },
            2 => address with { Used = address.Used + 2 },
            3 => address with { Used = QueueMemory.FrontEndBase + (ulong)frontEnd.Memory.Length - 16 },
            _ => address with { Flags = 1 },
        };
        address.Write(payload);
        frontEnd.Send(VhostUserRequest.SetVringAddress, payload);
        if (part != 4)
        {
            frontEnd.Send(VhostUserRequest.SetVringKick, 0UL, frontEnd.Kicks[0].Descriptor);
            frontEnd.SendState(VhostUserRequest.SetVringEnable, 0, 1);
        }

        Assert.True(frontEnd.IsClosed());
    }

    [Theory]
    [InlineData(VhostUserRequest.SetVringKick)]
    [InlineData(VhostUserRequest.SetVringCall)]
    [InlineData(VhostUserRequest.SetVringError)]
    public void Only_an_eventfd_is_taken_as_an_event(VhostUserRequest request)
    {
        using FrontEnd frontEnd = _device.Connect(0);
        frontEnd.Negotiate();
        frontEnd.SetMemory();
        frontEnd.SendState(VhostUserRequest.SetVringSize, 0, 256);
        frontEnd.Send(VhostUserRequest.SetVringAddress, FrontEnd.Addresses(0, frontEnd.Receive));
        frontEnd.Send(request, 0UL, frontEnd.Memory.File.Descriptor);
        Assert.True(frontEnd.IsClosed());
    }

    [Theory]
    [InlineData(VhostUserRequest.SetVringSize)]
    [InlineData(VhostUserRequest.SetVringBase)]
    [InlineData(VhostUserRequest.SetVringAddress)]
    public void A_ring_that_runs_cannot_be_moved(VhostUserRequest request)
    {
        using FrontEnd frontEnd = _device.Connect(0);
        frontEnd.Start();
        if (request == VhostUserRequest.SetVringAddress)
        {
            // The same again is no change.
            frontEnd.Send(request, FrontEnd.Addresses(0, frontEnd.Receive));
            frontEnd.Barrier();
            frontEnd.Send(request, FrontEnd.Addresses(0, frontEnd.Transmit));
        }
        else
        {
            frontEnd.SendState(request, 0, request == VhostUserRequest.SetVringSize ? 128u : 5u);
        }

        Assert.True(frontEnd.IsClosed());
    }

    [Fact]
    public void Settings_of_a_ring_that_does_not_run_may_be_told_twice_and_the_last_one_counts()
    {
        using FrontEnd frontEnd = _device.Connect(0);
        frontEnd.Negotiate();
        frontEnd.SetMemory();
        for (uint index = 0; index < 2; index++)
        {
            frontEnd.SendState(VhostUserRequest.SetVringSize, index, 64);
            frontEnd.SendState(VhostUserRequest.SetVringBase, index, 77);
            frontEnd.Send(VhostUserRequest.SetVringAddress, FrontEnd.Addresses(index, frontEnd.Transmit));
            using var forgotten = new EventFd();
            frontEnd.Send(VhostUserRequest.SetVringCall, index, forgotten.Descriptor);
            frontEnd.SetRing(index, index == 0 ? frontEnd.Receive : frontEnd.Transmit, 0);
        }

        AssertSends(frontEnd);
    }

    [Fact]
    public void Events_of_a_ring_that_runs_may_be_exchanged()
    {
        using FrontEnd frontEnd = _device.Connect(0);
        frontEnd.Start();
        for (int round = 0; round < 3; round++)
        {
            for (uint index = 0; index < 2; index++)
            {
                frontEnd.Send(VhostUserRequest.SetVringCall, index, frontEnd.Call.Descriptor);
                frontEnd.Send(VhostUserRequest.SetVringKick, index, frontEnd.Kicks[index].Descriptor);
                frontEnd.Send(VhostUserRequest.SetVringError, index, frontEnd.Call.Descriptor);
                frontEnd.Send(VhostUserRequest.SetVringCall, index | VringDescriptorPayload.NoDescriptor);
            }

            AssertSends(frontEnd);
        }
    }

    [Fact]
    public void Reading_the_base_stops_a_ring_and_tells_where_it_was()
    {
        using FrontEnd frontEnd = _device.Connect(0);
        using FrontEnd peer = _device.Connect(1);
        peer.Start();
        frontEnd.Start();
        byte[] frame = ToPeer();
        for (int i = 0; i < 5; i++)
        {
            frontEnd.SendFrame(frame);
            Assert.Equal(frame, peer.ReceiveFrame());
        }

        Blocking.Until(() => frontEnd.Transmit.UsedIndex == 5, "The frames are not given back.");
        Assert.Equal(5u, frontEnd.StopRing(1));
        Assert.Equal(0u, frontEnd.StopRing(0));

        // Nothing is taken any more, and what is offered waits for the ring to go on.
        frontEnd.SendFrame(frame);
        frontEnd.Barrier();
        Assert.False(peer.TryReceiveFrame(out _));
        Assert.Equal(5u, frontEnd.StopRing(1));
        frontEnd.Send(VhostUserRequest.SetVringKick, 1UL, frontEnd.Kicks[1].Descriptor);
        Assert.Equal(frame, peer.ReceiveFrame());
    }

    [Fact]
    public void A_ring_that_is_disabled_stands_still_until_it_is_enabled()
    {
        using FrontEnd frontEnd = _device.Connect(0);
        using FrontEnd peer = _device.Connect(1);
        peer.Start();
        frontEnd.Start();
        frontEnd.SendState(VhostUserRequest.SetVringEnable, 1, 0);
        frontEnd.Barrier();
        frontEnd.SendFrame(ToPeer());
        frontEnd.Barrier();
        Assert.False(peer.TryReceiveFrame(out _));
        frontEnd.SendState(VhostUserRequest.SetVringEnable, 1, 1);
        Assert.Equal(ToPeer(), peer.ReceiveFrame());
    }

    [Fact]
    public void A_status_of_zero_resets_the_rings()
    {
        using FrontEnd frontEnd = _device.Connect(0);
        frontEnd.Start();
        frontEnd.Send(VhostUserRequest.SetStatus, 0UL);
        frontEnd.Barrier();
        frontEnd.SendFrame(ToPeer());
        frontEnd.Barrier();
        Assert.Equal(0, _device.Counters("vf0").FramesIn);
        frontEnd.Send(VhostUserRequest.SetFeatures, (ulong)FrontEnd.Features);
        frontEnd.SetRing(0, frontEnd.Receive, 0);
        frontEnd.SetRing(1, frontEnd.Transmit, 0);
        AssertSends(frontEnd, received: 1);
    }

    [Fact]
    public void New_memory_may_come_while_rings_run()
    {
        using FrontEnd frontEnd = _device.Connect(0);
        frontEnd.Start();
        byte[] table = new byte[VhostMemoryRegion.TableHeaderLength + VhostMemoryRegion.Length];
        _ = VhostMemoryRegion.WriteTable(table, [new VhostMemoryRegion(QueueMemory.IovaBase, (ulong)frontEnd.Memory.Length, QueueMemory.FrontEndBase, 0)]);
        for (int i = 0; i < 3; i++)
        {
            AssertSends(frontEnd);
            frontEnd.Send(VhostUserRequest.SetMemoryTable, table, frontEnd.Memory.File.Descriptor);
        }

        // Rings that are not in the new memory end the session.
        _ = VhostMemoryRegion.WriteTable(table, [new VhostMemoryRegion(QueueMemory.IovaBase, 4096, QueueMemory.FrontEndBase + (1UL << 40), 0)]);
        frontEnd.Send(VhostUserRequest.SetMemoryTable, table, frontEnd.Memory.File.Descriptor);
        Assert.True(frontEnd.IsClosed());
    }

    [Fact]
    public void The_link_is_up_while_both_rings_run()
    {
        using FrontEnd peer = _device.Connect(1);
        peer.Start();
        byte[] frame = Frames.Udp(Mac(0), Mac(1), Address(1), Address(0));
        long lost = 0;
        void AssertDown()
        {
            peer.SendFrame(frame);
            lost++;
            Blocking.Until(() => _device.Counters("vf0").Drops.GetValueOrDefault("link-down") == lost, "The frame was not lost.");
        }

        AssertDown();
        using (FrontEnd frontEnd = _device.Connect(0))
        {
            frontEnd.Barrier();
            AssertDown();
            frontEnd.Start();
            peer.SendFrame(frame);
            Assert.Equal(frame, frontEnd.ReceiveFrame());
            _ = frontEnd.StopRing(0);
            AssertDown();
        }

        AssertDown();
    }

    // The driver's frame reaches the kernel's side of the switch, where there is no uplink; the counter tells.
    private void AssertSends(FrontEnd frontEnd, long received = 0)
    {
        long before = _device.Counters("vf0").FramesIn;
        frontEnd.SendFrame(ToPeer());
        long expected = received == 0 ? before + 1 : before + received + 1;
        Blocking.Until(() => _device.Counters("vf0").FramesIn == expected, "The frame was not taken.");
    }

    private static byte[] ToPeer() => Frames.Udp(Mac(1), Mac(0), Address(0), Address(1));
}
