using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Contract.Device;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.Wire;
using TestResult = Arrakis.Contract.Control.TestResult;

namespace Arrakis.SoftDevice.Tests.Ports;

public sealed class TesterTests
{
    private static readonly Ipv4Address _source = Ipv4Address.Parse("10.7.0.254");

    [Theory]
    [InlineData(1, 16)]
    [InlineData(1, 1472)]
    [InlineData(32, 64)]
    public void Every_request_that_is_echoed_is_counted_and_timed(int inFlight, int payload)
    {
        using var device = new DeviceUnderTest();
        TestResult result = RunTest(device, Plan() with { InFlight = inFlight, PayloadLength = payload, MaxRequests = 500, WarmupMilliseconds = 5 }, frame => frame);

        Assert.Equal(500, result.Received);
        Assert.Equal(500, result.Sent);
        Assert.Equal(0, result.Lost);
        Assert.Equal(0, result.Corrupt);
        Assert.InRange(result.RoundTrip.P50, 1, result.RoundTrip.Max);
        Assert.True(result.Seconds > 0);
    }

    [Fact]
    public void A_changed_byte_is_a_corrupt_reply()
    {
        using var device = new DeviceUnderTest();
        int replies = 0;
        TestResult result = RunTest(device, Plan() with { MaxRequests = 100, LossTimeoutMilliseconds = 5000 }, frame =>
        {
            if (++replies == 50)
            {
                frame[^1] ^= 1;
                frame[40] = frame[41] = 0; // no UDP checksum, or it would not even be a datagram
            }

            return frame;
        });

        Assert.Equal(1, result.Corrupt);
        Assert.Equal(100, result.Received);
        Assert.Equal(101, result.Sent);
    }

    [Fact]
    public void A_request_without_an_answer_is_lost_and_replaced()
    {
        using var device = new DeviceUnderTest();
        int replies = 0;
        TestResult result = RunTest(device, Plan() with { MaxRequests = 100, LossTimeoutMilliseconds = 200, DurationMilliseconds = 60_000 }, frame => ++replies == 50 ? null : frame);

        Assert.Equal(100, result.Received);
        Assert.True(result.Lost >= 1);
        Assert.Equal(result.Sent, result.Received + result.Lost);
    }

    [Fact]
    public void A_target_that_is_not_there_loses_everything_and_the_test_still_ends()
    {
        using var device = new DeviceUnderTest();
        device.Configure(0);
        var reply = Assert.IsType<DeviceTestReply>(device.Ask(id => new DeviceTestRequest { Id = id, Plan = Plan() with { DurationMilliseconds = 50, LossTimeoutMilliseconds = 10 } }));
        Assert.Equal(0, reply.Result.Received);
        Assert.True(reply.Result.Lost > 0);
        Assert.True(device.Counters("vf0").Drops["link-down"] > 0);
    }

    [Fact]
    public void A_plan_that_makes_no_sense_is_refused()
    {
        using var device = new DeviceUnderTest();
        device.Configure(0);
        foreach (TestPlan plan in (TestPlan[])[Plan() with { PayloadLength = 15 }, Plan() with { PayloadLength = 1473 }, Plan() with { InFlight = 0 }, Plan() with { TargetPort = 0 }, Plan() with { DurationMilliseconds = 0 }, Plan() with { Source = default },
            Plan() with { RequestsPerSecond = 0 }, Plan() with { RequestsPerSecond = -1 }, Plan() with { RequestsPerSecond = 1e-9 }, Plan() with { RequestsPerSecond = 1e12 }, Plan() with { RequestsPerSecond = 100_000_001 }])
        {
            Assert.Equal(ErrorCode.InvalidRequest, Assert.IsType<DeviceErrorReply>(device.Ask(id => new DeviceTestRequest { Id = id, Plan = plan })).Code);
        }

        DeviceReply taken = device.Ask(id => new DeviceTestRequest { Id = id, Plan = Plan() with { Source = DeviceUnderTest.Address(0), Target = DeviceUnderTest.Address(1) } });
        Assert.Equal(ErrorCode.AddressTaken, Assert.IsType<DeviceErrorReply>(taken).Code);
    }

    private static TestPlan Plan() => new()
    {
        TargetMac = DeviceUnderTest.Mac(0),
        Target = DeviceUnderTest.Address(0),
        TargetPort = 7,
        Source = _source,
        WarmupMilliseconds = 0,
        DurationMilliseconds = 20_000,
        LossTimeoutMilliseconds = 10_000,
    };

    // Runs the test while an echo server polls virtual function 0.
    private static TestResult RunTest(DeviceUnderTest device, TestPlan plan, Func<byte[], byte[]?> change)
    {
        device.Configure(0);
        using FrontEnd server = device.Connect(0);
        server.Start();

        // Asks who has the tester's address while the test runs, as a host would that has no neighbour entry yet.
        bool asked = false;
        bool answered = false;
        Task<DeviceReply> test = Task.Run(() => device.Ask(id => new DeviceTestRequest { Id = id, Plan = plan }));
        while (!test.IsCompleted)
        {
            if (!server.TryReceiveFrame(out byte[] frame))
            {
                Thread.Yield();
                continue;
            }

            if (!asked)
            {
                asked = true;
                server.SendFrame(Frames.Arp(Arrakis.Wire.Frames.ArpOperation.Request, MacAddress.Broadcast, DeviceUnderTest.Mac(0), DeviceUnderTest.Mac(0), DeviceUnderTest.Address(0), _source));
            }

            if (Arrakis.Wire.Frames.ArpView.TryParse(frame.AsSpan(14), out Arrakis.Wire.Frames.ArpView arp) == Arrakis.Wire.Frames.FrameError.None)
            {
                answered = arp.SenderAddress == _source;
            }
            else if (Frames.Answer(frame, DeviceUnderTest.Mac(0), DeviceUnderTest.Address(0)) is { } reply && change(reply) is { } changed)
            {
                server.SendFrame(changed);
            }
        }

        Assert.True(answered);
        return Assert.IsType<DeviceTestReply>(test.Result).Result;
    }
}
