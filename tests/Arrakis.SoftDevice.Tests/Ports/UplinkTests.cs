using Arrakis.Contract.Device;
using Arrakis.Native.Net;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.Wire.Frames;
using static Arrakis.SoftDevice.Tests.Support.DeviceUnderTest;

namespace Arrakis.SoftDevice.Tests.Ports;

public sealed class UplinkTests : IDisposable
{
    private static int s_count;

    private readonly DeviceUnderTest _device = new();
    private readonly NetworkNamespace _namespace = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly FrontEnd _server;
    private readonly Thread _serving;

    public UplinkTests()
    {
        _device.Configure(0);
        _server = _device.Connect(0);
        _server.Start(polls: true);
        _serving = new Thread(Serve);
        _serving.Start();
    }

    public void Dispose()
    {
        _stop.Cancel();
        _serving.Join();
        _server.Dispose();
        _device.Dispose();
        _namespace.Dispose();
        _stop.Dispose();
    }

    [Fact]
    public void The_kernels_own_stack_reaches_a_function()
    {
        using TapInterface tap = Attach();
        Ping();
        Assert.True(_device.Counters("uplink").FramesIn >= 4);
        Assert.True(_device.Counters("uplink").FramesOut >= 4);
    }

    [Fact]
    public void A_longer_frame_than_the_device_has_is_dropped_and_counted()
    {
        using TapInterface tap = Attach();
        Ping();
        _ = _namespace.RunInside("ip", "link", "set", tap.Name, "mtu", "4000");
        _ = Assert.Throws<InvalidOperationException>(() => _namespace.RunInside("ping", "-c", "1", "-W", "1", "-M", "do", "-s", "2000", Address(0).ToString()));
        Blocking.Until(() => _device.Counters("uplink").Drops.GetValueOrDefault("frame-too-long") == 1, "The frame was not counted.");
        Ping();
    }

    [Fact]
    public void Another_uplink_takes_the_place_of_the_last()
    {
        using (TapInterface first = Attach())
        {
            Ping();
            using TapInterface second = Attach(address: "10.7.0.253/24");
            first.Dispose();
            Blocking.Until(() => !_namespace.RunInside("ip", "-o", "link").Contains(first.Name, StringComparison.Ordinal), "The device keeps the old uplink.");
            Ping();
        }
    }

    [Fact]
    public void An_uplink_that_is_deleted_is_let_go_and_another_can_come()
    {
        using (TapInterface tap = Attach())
        {
            Ping();
            _ = _namespace.RunInside("ip", "link", "delete", tap.Name);
            _server.SendFrame(Frames.Udp(Mac(9), Mac(0), Address(0), Address(9)));
            Blocking.Until(() => _device.Counters("uplink").Drops.Count != 0, "The frame was not lost.");
        }

        using TapInterface next = Attach();
        Ping();
    }

    [Fact]
    public void An_uplink_that_is_down_refuses_frames_and_comes_back()
    {
        using TapInterface tap = Attach();
        Ping();
        _ = _namespace.RunInside("ip", "link", "set", tap.Name, "down");
        _server.SendFrame(Frames.Udp(Mac(9), Mac(0), Address(0), Address(9)));
        Blocking.Until(() => _device.Counters("uplink").Drops.GetValueOrDefault("uplink-refused") == 1, "The frame was not lost.");
        _ = _namespace.RunInside("ip", "link", "set", tap.Name, "up");
        Ping();
    }

    private TapInterface Attach(string address = "10.7.0.252/24")
    {
        TapInterface tap = TapInterface.Create($"asd{Environment.ProcessId}t{Interlocked.Increment(ref s_count)}");
        _namespace.Take(tap.Name, address);
        _ = Assert.IsType<DeviceDoneReply>(_device.Ask(id => new AttachUplinkRequest { Id = id }, tap.Descriptor));
        return tap;
    }

    private void Ping() => _ = _namespace.RunInside("ping", "-c", "3", "-i", "0.01", "-W", "30", Address(0).ToString());

    // Answers questions and echo requests as a host would.
    private void Serve()
    {
        while (!_stop.IsCancellationRequested)
        {
            if (!_server.TryReceiveFrame(out byte[] frame))
            {
                Thread.Yield();
            }
            else if (EthernetView.TryParse(frame, out _) == FrameError.None && Frames.Answer(frame, Mac(0), Address(0)) is { } reply)
            {
                _server.SendFrame(reply);
            }
        }
    }
}
