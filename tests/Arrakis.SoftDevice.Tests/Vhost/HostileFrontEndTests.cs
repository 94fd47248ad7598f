using Arrakis.Native.Events;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.Wire;
using Arrakis.Wire.VhostUser;
using static Arrakis.SoftDevice.Tests.Support.DeviceUnderTest;

namespace Arrakis.SoftDevice.Tests.Vhost;

/// <summary>Function 0 is hostile; 1 and 2 talk to each other and must not notice.</summary>
public sealed class HostileFrontEndTests : IDisposable
{
    private readonly DeviceUnderTest _device = new(3);
    private readonly FrontEnd _hostile;
    private readonly FrontEnd _first;
    private readonly FrontEnd _second;

    public HostileFrontEndTests()
    {
        for (int function = 0; function < 3; function++)
        {
            _device.Configure(function);
        }

        _hostile = _device.Connect(0);
        _first = _device.Connect(1);
        _second = _device.Connect(2);
        _hostile.Start();
        _first.Start();
        _second.Start();
    }

    public void Dispose()
    {
        _hostile.Dispose();
        _first.Dispose();
        _second.Dispose();
        _device.Dispose();
    }

    [Theory]
    [InlineData(0)] // everything
    [InlineData(4096)] // the rings' start stays
    [InlineData(16384)] // the buffers go
    public void A_front_end_that_truncates_its_memory_loses_its_own_session(long length)
    {
        AssertNeighboursTalk();
        _hostile.Memory.File.Truncate(length);

        // The device touches the memory when a frame comes, also without the driver's help.
        _first.SendFrame(Frames.Udp(Mac(0), Mac(1), Address(1), Address(0)));
        Assert.True(_hostile.IsClosed());
        Assert.Contains(_device.Log.Lines, line => line.Contains("the memory was truncated", StringComparison.Ordinal));
        AssertNeighboursTalk();
        AssertPortWorksAgain();
    }

    [Fact]
    public void Memory_that_is_truncated_before_anything_came_is_noticed_without_traffic()
    {
        _hostile.Memory.File.Truncate(0);
        Blocking.Until(() => { _hostile.Kicks[1].Signal(); return IsClosedByNow(); }, "The truncation was not noticed.");
        AssertNeighboursTalk();
        AssertPortWorksAgain();
    }

    [Fact]
    public void Memory_may_go_again_and_again_while_traffic_flows()
    {
        for (int round = 0; round < 50; round++)
        {
            using FrontEnd frontEnd = _device.Connect(0);
            frontEnd.Start();
            for (int i = 0; i < 10; i++)
            {
                _first.SendFrame(Frames.Udp(Mac(0), Mac(1), Address(1), Address(0)));
            }

            frontEnd.Memory.File.Truncate(round * 16384L);
            _first.SendFrame(Frames.Udp(Mac(0), Mac(1), Address(1), Address(0)));
            AssertNeighboursTalk();
        }

        AssertPortWorksAgain();
    }

    [Fact]
    public void A_stopped_front_end_with_full_rings_stalls_nobody()
    {
        // Its transmit ring is full of frames, broadcasts that the neighbours must take too.
        byte[] data = [.. new byte[12], .. Frames.Udp(MacAddress.Broadcast, Mac(0), Address(0), new Ipv4Address(uint.MaxValue))];
        while (_hostile.Transmit.TrySend(data))
        {
        }

        // Frames for it fill its receive ring, whose buffers never come back.
        byte[] frame = Frames.Udp(Mac(0), Mac(1), Address(1), Address(0));
        for (int i = 0; i < 600; i++)
        {
            _first.SendFrame(frame);
        }

        Blocking.Until(() => _device.Counters("vf0").Drops.GetValueOrDefault("receive-ring-full") >= 600 - 256, "The ring does not fill.");
        Drain(_first);
        Drain(_second);
        AssertNeighboursTalk();
        Assert.Equal(256, _device.Counters("vf0").FramesOut);
        Assert.Empty(_device.Counters("vf1").Drops);
    }

    [Fact]
    public void A_broken_ring_raises_its_error_event_and_ends_the_session()
    {
        using var error = new EventFd();
        _hostile.Send(VhostUserRequest.SetVringError, 1UL, error.Descriptor);
        _hostile.Barrier();
        _hostile.Transmit.WriteDescriptor(0, 0xDEAD, 64, 0, 0);
        _hostile.Transmit.MakeAvailable(0);
        _hostile.Kicks[1].Signal();
        Assert.True(_hostile.IsClosed());
        Assert.True(error.Wait(30_000));
        Assert.Contains(_device.Log.Lines, line => line.Contains("BufferOutsideMemory", StringComparison.Ordinal));
        AssertNeighboursTalk();
        AssertPortWorksAgain();
    }

    [Fact]
    public void A_driver_that_rings_all_the_time_stalls_nobody()
    {
        using var stop = new CancellationTokenSource();
        var ringing = new Thread(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                _hostile.Kicks[0].Signal();
                _hostile.Kicks[1].Signal();
            }
        });
        ringing.Start();
        try
        {
            AssertNeighboursTalk();
        }
        finally
        {
            stop.Cancel();
            ringing.Join();
        }
    }

    [Fact]
    public void A_front_end_that_sets_its_ring_up_all_the_time_stalls_nobody()
    {
        for (int i = 0; i < 200; i++)
        {
            _hostile.Send(VhostUserRequest.SetVringCall, 1UL, _hostile.Call.Descriptor);
            if (i % 20 == 0)
            {
                AssertNeighboursTalk(1);
                _hostile.Barrier();
            }
        }
    }

    private void AssertNeighboursTalk(int frames = 50)
    {
        for (int i = 0; i < frames; i++)
        {
            byte[] frame = Frames.Udp(Mac(2), Mac(1), Address(1), Address(2), payload: 18 + i);
            _first.SendFrame(frame);
            Assert.Equal(frame, _second.ReceiveFrame());
            byte[] reply = Frames.Udp(Mac(1), Mac(2), Address(2), Address(1), payload: 18 + i);
            _second.SendFrame(reply);
            Assert.Equal(reply, _first.ReceiveFrame());
        }
    }

    private void AssertPortWorksAgain()
    {
        using FrontEnd next = _device.Connect(0);
        next.Start();
        byte[] frame = Frames.Udp(Mac(0), Mac(1), Address(1), Address(0));
        _first.SendFrame(frame);
        Assert.Equal(frame, next.ReceiveFrame());
    }

    private bool IsClosedByNow()
    {
        try
        {
            return _hostile.Socket.TryReceive(new byte[1]) is { Length: 0 };
        }
        catch (Native.LinuxException)
        {
            return true;
        }
    }

    private static void Drain(FrontEnd frontEnd)
    {
        while (frontEnd.TryReceiveFrame(out _))
        {
        }
    }
}
