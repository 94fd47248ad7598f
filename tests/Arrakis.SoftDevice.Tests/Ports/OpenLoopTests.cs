using Arrakis.Contract.Control;
using Arrakis.SoftDevice.Polling;
using Arrakis.SoftDevice.Ports.Tester;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.TestBed.Device;
using Arrakis.Wire;
using HdrHistogram;
using TestResult = Arrakis.Contract.Control.TestResult;

namespace Arrakis.SoftDevice.Tests.Ports;

/// <summary>The tester's open loop in virtual time: a server that answers when the test says so.</summary>
public sealed class OpenLoopTests
{
    private const long Microsecond = 1000;
    private const long Millisecond = 1000 * Microsecond;

    [Fact]
    public void Requests_are_sent_when_they_are_due_whether_or_not_replies_come()
    {
        TestResult result = Simulate(Plan(rate: 1000, milliseconds: 50) with { InFlight = 4096, LossTimeoutMilliseconds = 10 }, static _ => null);

        Assert.Equal(50, result.Sent);
        Assert.Equal(50, result.Lost);
        Assert.Equal((0, 0, 0), (result.Received, result.Delayed, result.Unsent));
    }

    [Fact]
    public void Latency_counts_from_when_a_request_was_due_so_that_a_stall_shows_in_all_that_waited()
    {
        // Ten a millisecond; the server stalls from 20 ms to 30 ms and then answers at once what it was sent.
        TestResult result = Simulate(
            Plan(rate: 10_000, milliseconds: 100) with { InFlight = 1 },
            static now => now is >= 20 * Millisecond and < 30 * Millisecond ? 30 * Millisecond : now + Microsecond);

        Assert.Equal(1000, result.Received);
        Assert.Equal((0, 0), (result.Lost, result.Unsent));

        // A closed loop would have seen one slow request. Here a hundred waited, the first of them 10 ms, the mean 5.
        HistogramBase times = HistogramText.Decode(result.Histogram!);
        Assert.InRange(times.RecordedValues().Where(static v => v.ValueIteratedTo > 100 * Microsecond).Sum(static v => v.CountAtValueIteratedTo), 95, 105);
        Assert.InRange(result.Delayed, 95, 105);
        Assert.InRange(result.RoundTrip.Max, 9_900 * Microsecond, 10_100 * Microsecond);
        Assert.InRange(result.RoundTrip.P99, 8_500 * Microsecond, 9_500 * Microsecond);
    }

    [Fact]
    public void What_could_not_be_sent_until_the_end_is_counted()
    {
        // One request under way takes 1 ms: 1000 a second of the 10,000 that are due.
        TestResult result = Simulate(Plan(rate: 10_000, milliseconds: 100) with { InFlight = 1 }, static now => now + Millisecond);

        Assert.InRange(result.Sent, 98, 101);
        Assert.Equal(result.Sent, result.Received);
        Assert.Equal(1000, result.Sent + result.Unsent);
        Assert.InRange(result.Delayed, result.Sent - 2, result.Sent);
        Assert.InRange(result.RoundTrip.Max, 85 * Millisecond, 95 * Millisecond);
    }

    [Fact]
    public void What_is_due_in_the_warm_up_does_not_count()
    {
        TestResult result = Simulate(Plan(rate: 1000, milliseconds: 20) with { WarmupMilliseconds = 30 }, static now => now + Microsecond);

        Assert.Equal((20, 20, 0), (result.Sent, result.Received, result.Unsent));
        Assert.Equal(0.02, result.Seconds, 3);
    }

    [Theory]
    [InlineData(ArrivalSpacing.Fixed, 200, 200)]
    [InlineData(ArrivalSpacing.Poisson, 1, 1200)]
    public void Arrivals_keep_their_rate_and_spacing(ArrivalSpacing arrivals, long shortest, long longest)
    {
        const int Count = 100_000;
        List<long> times = Times(new ArrivalSchedule(5_000_000, arrivals, seed: 7, start: 0), Count);
        List<long> spaces = [.. times.Zip(times.Skip(1), static (a, b) => b - a)];
        double mean = spaces.Average();
        double deviation = Math.Sqrt(spaces.Average(space => (space - mean) * (space - mean)));

        Assert.InRange(mean, 198, 202);
        Assert.InRange(deviation, arrivals == ArrivalSpacing.Fixed ? 0 : 195, arrivals == ArrivalSpacing.Fixed ? 0 : 205); // of an exponential: its mean
        Assert.InRange(spaces.Count(space => space >= shortest && space <= longest), Count * 0.98, Count);
    }

    [Fact]
    public void The_same_seed_gives_the_same_arrivals_and_another_seed_others()
    {
        List<long> first = Times(new ArrivalSchedule(1000, ArrivalSpacing.Poisson, 1, 0), 100);
        Assert.Equal(first, Times(new ArrivalSchedule(1000, ArrivalSpacing.Poisson, 1, 0), 100));
        Assert.NotEqual(first, Times(new ArrivalSchedule(1000, ArrivalSpacing.Poisson, 2, 0), 100));
    }

    [Fact]
    public void A_rate_that_no_nanosecond_divides_is_kept()
    {
        List<long> times = Times(new ArrivalSchedule(3_000_000, ArrivalSpacing.Fixed, 1, 0), 3_000_001);
        Assert.InRange(times[^1], 999_999_990, 1_000_000_010);
    }

    [Fact]
    public void Sending_and_recording_allocate_nothing()
    {
        Clock clock = Clock.Manual();
        var run = new TestRun(Plan(rate: 1_000_000, milliseconds: 10_000) with { Arrivals = ArrivalSpacing.Poisson, InFlight = 8, LossTimeoutMilliseconds = 1 }, TesterPort.Mac, clock.Now);
        byte[] reply = new byte[200];
        Exchange(2000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Exchange(100_000);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());

        void Exchange(int rounds)
        {
            for (int i = 0; i < rounds; i++)
            {
                clock.Advance(700);
                if (run.TryNextRequest(clock, out ReadOnlySpan<byte> frame) && i % 10 != 0)
                {
                    frame.CopyTo(reply);
                    Turn(reply.AsSpan(0, frame.Length));
                    _ = run.TryTakeReply(reply.AsSpan(0, frame.Length), clock);
                }
            }
        }
    }

    [Fact]
    public void Round_trips_of_every_length_fit_a_message()
    {
        var recorder = new RoundTripRecorder();
        var random = new Random(3);
        for (int i = 0; i < 2_000_000; i++)
        {
            recorder.Record((long)Math.Exp(random.NextDouble() * Math.Log(60e9)));
        }

        string text = recorder.Encode()!;
        Assert.InRange(text.Length, 1000, 40 * 1024);
        Assert.Equal(2_000_000, HistogramText.Decode(text).TotalCount);
        Assert.InRange((double)HistogramText.Decode(text).GetValueAtPercentile(50) / recorder.Percentiles().P50, 0.9, 1.1);
    }

    private static List<long> Times(ArrivalSchedule schedule, int count)
    {
        List<long> times = [];
        for (int i = 0; i < count; i++)
        {
            Assert.Equal(0, schedule.CountUntil(schedule.Next));
            Assert.Equal(1, schedule.CountUntil(schedule.Next + 1));
            times.Add(schedule.Next);
            schedule.Advance();
        }

        return times;
    }

    private static TestPlan Plan(double rate, int milliseconds) => new()
    {
        TargetMac = DeviceUnderTest.Mac(0),
        Target = DeviceUnderTest.Address(0),
        TargetPort = 7,
        Source = Ipv4Address.Parse("10.7.0.254"),
        RequestsPerSecond = rate,
        WarmupMilliseconds = 0,
        DurationMilliseconds = milliseconds,
        LossTimeoutMilliseconds = 1000,
    };

    /// <summary>Runs a plan against a server that answers a request of some time at another; null is never.</summary>
    private static TestResult Simulate(TestPlan plan, Func<long, long?> answerAt)
    {
        Clock clock = Clock.Manual();
        var run = new TestRun(plan, TesterPort.Mac, clock.Now);
        var answers = new PriorityQueue<byte[], long>();
        while (!run.IsDone)
        {
            while (answers.TryPeek(out byte[]? reply, out long due) && due <= clock.Now)
            {
                _ = answers.Dequeue();
                Assert.True(run.TryTakeReply(reply, clock));
            }

            while (run.TryNextRequest(clock, out ReadOnlySpan<byte> frame))
            {
                byte[] reply = frame.ToArray();
                Turn(reply);
                if (answerAt(clock.Now) is { } at)
                {
                    answers.Enqueue(reply, at);
                }
            }

            clock.Advance(Microsecond);
        }

        return run.Result();
    }

    // Exchanges addresses and ports; checksums stay right.
    private static void Turn(Span<byte> frame)
    {
        Swap(frame[..6], frame[6..12]);
        Swap(frame[26..30], frame[30..34]);
        Swap(frame[34..36], frame[36..38]);
    }

    private static void Swap(Span<byte> a, Span<byte> b)
    {
        for (int i = 0; i < a.Length; i++)
        {
            (a[i], b[i]) = (b[i], a[i]);
        }
    }
}
