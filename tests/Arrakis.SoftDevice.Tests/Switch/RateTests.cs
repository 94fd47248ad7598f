using Arrakis.Contract;
using Arrakis.SoftDevice.Switch;
using Arrakis.SoftDevice.Tests.Support;
using CsCheck;
using static Arrakis.SoftDevice.Tests.Support.SwitchUnderTest;

namespace Arrakis.SoftDevice.Tests.Switch;

public sealed class RateTests
{
    private const long Second = 1_000_000_000;

    [Fact]
    public void A_function_that_always_has_frames_passes_its_rate_within_five_percent() =>
        Gen.Select(Gen.Long[1_000_000, 2_000_000_000], Gen.Int[0, 20_000], Gen.Int[0, 1472], Gen.Long[1_000, 200_000]).Sample(
            (rate, burst, payload, step) =>
            {
                using var device = new SwitchUnderTest(2);
                device.Configure(0, rate: new RateSpecifier(rate, burst));
                device.Configure(1);
                byte[] frame = Frames.Udp(Mac(1), Mac(0), Address(0), Address(1), payload: payload);
                Drain(device, frame);

                // Steps of time so short that the ring never runs empty, nor the bucket over, between two of them.
                long spare = Math.Max(Math.Max(burst, EthernetSwitch.MaxFrameLength) - frame.Length, frame.Length / 50);
                long limit = Math.Min(RingSize * frame.Length / 2, spare) * 8L * Second / rate;
                step = Math.Clamp(step, 1, Math.Max(limit, 1));
                long bits = 0;
                long elapsed = 0;
                while (bits < 1000L * frame.Length * 8)
                {
                    device.Clock.Advance(step);
                    elapsed += step;
                    bits += Drain(device, frame) * 8;
                }

                double expected = (double)rate * elapsed / Second;
                Assert.InRange(bits, expected * 0.95, expected * 1.05);
                Assert.Empty(device.Drops("vf0"));
                Assert.Empty(device.Drops("vf1"));
            },
            seed: Seeds.Fixed,
            iter: 60,
            threads: 1);

    [Fact]
    public void After_a_pause_the_burst_passes_and_no_more()
    {
        using var device = new SwitchUnderTest(2);
        byte[] frame = Frames.Udp(Mac(1), Mac(0), Address(0), Address(1), payload: 958); // 1000 bytes
        device.Configure(0, rate: new RateSpecifier(8_000_000, 10_000));
        device.Configure(1);
        Assert.Equal(10_000, Drain(device, frame));
        device.Clock.Advance(3600 * Second);
        Assert.Equal(10_000, Drain(device, frame));
        device.Clock.Advance(1_000_000); // a millisecond brings 1000 bytes
        Assert.Equal(1000, Drain(device, frame));
        device.Clock.Advance(999_999);
        Assert.Equal(0, Drain(device, frame));
        device.Clock.Advance(1);
        Assert.Equal(1000, Drain(device, frame));
    }

    [Fact]
    public void A_frame_over_the_rate_stays_in_the_ring_and_keeps_its_place()
    {
        using var device = new SwitchUnderTest(2);
        device.Configure(0, rate: new RateSpecifier(8_000_000, 0));
        device.Configure(1);
        byte[][] frames = [.. Enumerable.Range(0, 20).Select(i => Frames.Udp(Mac(1), Mac(0), Address(0), Address(1), payload: 1000 + i))];
        foreach (byte[] frame in frames)
        {
            device.Post(0, frame);
        }

        List<byte[]> received = [];
        for (int millisecond = 0; millisecond < 30; millisecond++)
        {
            device.Poll();
            Assert.Equal(received.Count + device.Received(1).Count, device.Transmit(0).UsedIndex);
            received = [.. frames[..device.Transmit(0).UsedIndex]];
            device.Clock.Advance(1_000_000);
        }

        Assert.Equal(20, received.Count);
        Assert.Equal(20, device.Statistics("vf0").Read().FramesIn);
        Assert.Empty(device.Drops("vf0"));
    }

    [Fact]
    public void A_new_rate_holds_at_once_and_none_is_no_limit()
    {
        using var device = new SwitchUnderTest(2);
        device.Configure(1);
        byte[] frame = Frames.Udp(Mac(1), Mac(0), Address(0), Address(1), payload: 958);
        device.Configure(0, rate: new RateSpecifier(1, 0));
        Assert.Equal(1000, Drain(device, frame));
        device.Clock.Advance(Second);
        Assert.Equal(0, Drain(device, frame));
        device.Configure(0);
        Assert.True(Drain(device, frame, limit: 500_000) >= 500_000);
    }

    [Fact]
    public void Neighbours_are_limited_each_for_itself()
    {
        using var device = new SwitchUnderTest(3);
        device.Configure(0, rate: new RateSpecifier(8_000, 0));
        device.Configure(1, rate: new RateSpecifier(80_000_000, 0));
        device.Configure(2);
        byte[] slow = Frames.Udp(Mac(2), Mac(0), Address(0), Address(2), payload: 958);
        byte[] fast = Frames.Udp(Mac(2), Mac(1), Address(1), Address(2), payload: 958);
        for (int i = 0; i < 1000; i++)
        {
            Fill(device, 0, slow);
            Fill(device, 1, fast);
            device.Poll();
            _ = device.Received(2);
            device.Clock.Advance(100_000);
        }

        Assert.Equal(1, device.Statistics("vf0").Read().FramesIn);
        Assert.InRange(device.Statistics("vf1").Read().FramesIn, 990, 1010);
    }

    // Keeps the ring full until the device takes no more; returns the bytes that arrived.
    private static long Drain(SwitchUnderTest device, byte[] frame, long limit = long.MaxValue)
    {
        long bytes = 0;
        while (bytes < limit)
        {
            Fill(device, 0, frame);
            bool worked = device.Core.PollOnce();
            bytes += device.Received(1).Sum(received => (long)received.Length);
            if (!worked)
            {
                break;
            }
        }

        return bytes;
    }

    private static void Fill(SwitchUnderTest device, int function, byte[] frame)
    {
        device.Reclaim(function);
        while (device.Transmit(function).FreeDescriptors != 0)
        {
            device.Post(function, frame);
        }
    }
}
