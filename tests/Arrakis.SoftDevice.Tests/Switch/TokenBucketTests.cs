using Arrakis.Contract;
using Arrakis.SoftDevice.Switch;
using Arrakis.SoftDevice.Tests.Support;
using CsCheck;

namespace Arrakis.SoftDevice.Tests.Switch;

public sealed class TokenBucketTests
{
    private const long Second = 1_000_000_000;

    private static readonly Gen<RateSpecifier> _rate = Gen.Select(
        Gen.OneOf(Gen.Long[1_000, 1_000_000], Gen.Long[1_000_000, 1_000_000_000], Gen.Long[1_000_000_000, 1_000_000_000_000]),
        Gen.OneOf(Gen.Int[0, 4000], Gen.Int[4000, 1 << 20]),
        (rate, burst) => new RateSpecifier(rate, burst));

    [Fact]
    public void A_sender_that_always_has_frames_gets_its_rate_within_five_percent() =>
        Gen.Select(_rate, Gen.Int[14, EthernetSwitch.MaxFrameLength], Gen.Long[0, 1L << 40]).Sample(
            (rate, length, start) =>
            {
                var bucket = new TokenBucket(rate, start);
                long now = start;
                while (bucket.TryTake(length, now))
                {
                }

                // From an empty bucket: the time that 1000 frames take.
                long from = now;
                for (int frame = 0; frame < 1000; frame++)
                {
                    now += bucket.TimeUntil(length, now);
                    Assert.True(bucket.TryTake(length, now));
                }

                // What was left in the bucket is less than one frame of the thousand; time counts whole nanoseconds.
                double expected = 1000.0 * length * 8 / rate.BitsPerSecond * Second;
                Assert.InRange(now - from, expected * 0.995 - 1, expected * 1.005 + 1000);
            },
            seed: Seeds.Fixed,
            iter: 300);

    [Fact]
    public void No_window_of_time_has_more_than_its_burst_and_its_rate() =>
        Gen.Select(_rate, Gen.Select(Gen.Int[14, EthernetSwitch.MaxFrameLength], Gen.Long[0, 20_000_000]).List[1, 300]).Sample(
            (rate, frames) =>
            {
                var bucket = new TokenBucket(rate, 0);
                Int128 burst = (Int128)Math.Max(rate.BurstBytes, EthernetSwitch.MaxFrameLength) * 8 * Second;
                long now = 0;
                Int128 sent = 0; // bit-nanoseconds
                Int128 lowest = 0; // of sent less what the rate allows, at any earlier time
                foreach ((int length, long pause) in frames)
                {
                    now += pause;
                    Int128 before = sent - (Int128)now * rate.BitsPerSecond;
                    lowest = Int128.Min(lowest, before);
                    if (bucket.TryTake(length, now))
                    {
                        sent += (Int128)length * 8 * Second;
                    }

                    Assert.True(sent - (Int128)now * rate.BitsPerSecond - lowest <= burst);
                }
            },
            seed: Seeds.Fixed,
            iter: 2000);

    [Fact]
    public void The_time_that_is_told_is_exact() =>
        Gen.Select(_rate, Gen.Int[14, EthernetSwitch.MaxFrameLength]).Sample(
            (rate, length) =>
            {
                var bucket = new TokenBucket(rate, 0);
                while (bucket.TryTake(length, 0))
                {
                }

                long wait = bucket.TimeUntil(length, 0);
                Assert.True(wait > 0);
                Assert.False(bucket.TryTake(length, wait - 1));
                Assert.True(bucket.TryTake(length, wait));
            },
            seed: Seeds.Fixed,
            iter: 2000);

    [Theory]
    [InlineData(1, 0)]
    [InlineData(1, int.MaxValue)]
    [InlineData(1_000_000_000_000, 0)]
    [InlineData(1_000_000_000_000, int.MaxValue)]
    [InlineData(long.MaxValue, int.MaxValue)]
    [InlineData(1, int.MinValue)]
    public void Extreme_rates_bursts_and_times_do_not_overflow(long rate, int burst)
    {
        foreach (long start in (long[])[0, 1, long.MaxValue / 2])
        {
            foreach (long elapsed in (long[])[0, 1, Second, 1L << 40, long.MaxValue / 2])
            {
                var bucket = new TokenBucket(new RateSpecifier(rate, burst), start);
                long taken = Drain(ref bucket, start);
                Assert.InRange(taken, 1, (1 << 30) / EthernetSwitch.MaxFrameLength);
                long refilled = Drain(ref bucket, start + elapsed);

                // What was left is less than a frame.
                Int128 frames = (Int128)elapsed * rate / Second / (EthernetSwitch.MaxFrameLength * 8);
                Assert.InRange(refilled, (long)Int128.Min(taken, frames), (long)Int128.Min(taken, frames + 1));
                Assert.InRange(bucket.TimeUntil(EthernetSwitch.MaxFrameLength, start + elapsed), 1, long.MaxValue);
            }
        }
    }

    [Fact]
    public void A_clock_that_goes_back_gives_no_tokens()
    {
        var bucket = new TokenBucket(new RateSpecifier(1_000_000, 0), Second);
        _ = Drain(ref bucket, Second);
        Assert.False(bucket.TryTake(EthernetSwitch.MaxFrameLength, 0));
        Assert.False(bucket.TryTake(EthernetSwitch.MaxFrameLength, Second));
        Assert.True(bucket.TryTake(EthernetSwitch.MaxFrameLength, 2 * Second));
    }

    private static long Drain(ref TokenBucket bucket, long now)
    {
        long taken = 0;
        while (bucket.TryTake(EthernetSwitch.MaxFrameLength, now))
        {
            taken++;
        }

        return taken;
    }
}
