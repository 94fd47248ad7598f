using System.Buffers.Binary;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.SoftDevice.Polling;
using Arrakis.Wire;
using HdrHistogram;

namespace Arrakis.SoftDevice.Ports.Tester;

/// <summary>
/// One test in a closed loop: a window of requests, each answered or lost before the next takes its place. What is
/// sent in the warm-up is answered but not counted.
/// </summary>
internal sealed class TestRun
{
    private const int ChecksBetweenClockReads = 64;
    private const long LongestRoundTrip = 60_000_000_000;
    private const long NanosecondsPerMillisecond = 1_000_000;

    private readonly TestPlan _plan;
    private readonly TestFrame _frames;
    private readonly InFlightWindow _window;
    private readonly LongHistogram _roundTrips = new(1, LongestRoundTrip, 3);
    private readonly long _measureFrom;
    private readonly long _stopAt;
    private readonly long _lossTimeout;

    private long _nextLossCheck;
    private int _checks;
    private long _sent;
    private long _received;
    private long _lost;
    private long _corrupt;
    private long _lastCountedAt;
    private bool _isStopping;

    /// <summary>Starts a test.</summary>
    /// <param name="plan">A plan that <see cref="Validate"/> has passed.</param>
    /// <param name="source">The tester's MAC.</param>
    /// <param name="now">The clock's time.</param>
    public TestRun(TestPlan plan, MacAddress source, long now)
    {
        _plan = plan;
        _frames = new TestFrame(plan, source);
        _window = new InFlightWindow(plan.InFlight);
        _measureFrom = now + plan.WarmupMilliseconds * NanosecondsPerMillisecond;
        _stopAt = _measureFrom + plan.DurationMilliseconds * NanosecondsPerMillisecond;
        _lossTimeout = plan.LossTimeoutMilliseconds * NanosecondsPerMillisecond;
        _nextLossCheck = now + NanosecondsPerMillisecond;
        _lastCountedAt = _measureFrom;
    }

    /// <summary>The tester's address during the test.</summary>
    public Ipv4Address Source => _plan.Source;

    /// <summary>Whether the test is over.</summary>
    public bool IsDone => _isStopping && _window.Count == 0;

    /// <summary>Refuses a plan that cannot be run.</summary>
    /// <exception cref="ArrakisException"><see cref="ErrorCode.InvalidRequest"/>, naming the field.</exception>
    public static void Validate(TestPlan plan)
    {
        Require(plan.PayloadLength is >= TestFrame.StampLength and <= 1472, "payloadLength", "16 to 1472 bytes");
        Require(plan.InFlight is >= 1 and <= 4096, "inFlight", "1 to 4096 requests");
        Require(plan.WarmupMilliseconds is >= 0 and <= 60_000, "warmupMilliseconds", "0 to 60000");
        Require(plan.DurationMilliseconds is >= 1 and <= 3_600_000, "durationMilliseconds", "1 to 3600000");
        Require(plan.LossTimeoutMilliseconds is >= 1 and <= 60_000, "lossTimeoutMilliseconds", "1 to 60000");
        Require(plan.MaxRequests >= 0, "maxRequests", "zero or more");
        Require(plan.TargetMac.IsUnicast, "targetMac", "the MAC of one station");
        Require(plan.Target.IsUnicast, "target", "the address of one host");
        Require(plan.Source.IsUnicast && plan.Source != plan.Target, "source", "the address of one host, other than the target");
        Require(plan.TargetPort != 0, "targetPort", "1 to 65535");
    }

    /// <summary>Gives the next request to send, if one is due now.</summary>
    public bool TryNextRequest(Clock clock, out ReadOnlySpan<byte> frame)
    {
        frame = default;
        bool maySend = !_isStopping && !_window.IsFull;
        if (!maySend && ++_checks < ChecksBetweenClockReads)
        {
            return false;
        }

        _checks = 0;
        long now = clock.Now;
        if (now >= _nextLossCheck)
        {
            _nextLossCheck = now + NanosecondsPerMillisecond;
            GiveUpLost(now);
        }

        _isStopping |= now >= _stopAt;
        if (_isStopping || _window.IsFull || (_plan.MaxRequests != 0 && _received + _window.Count >= _plan.MaxRequests && now >= _measureFrom))
        {
            _isStopping |= _plan.MaxRequests != 0 && _received >= _plan.MaxRequests;
            return false;
        }

        if (now >= _measureFrom)
        {
            _sent++;
        }

        frame = _frames.Request(_window.Open(now), now);
        return true;
    }

    /// <summary>Takes a frame that came to the tester; false where the test does not expect it.</summary>
    public bool TryTakeReply(ReadOnlySpan<byte> frame, Clock clock)
    {
        long now = clock.Now;
        if (!_frames.TryReadReply(frame, out ReadOnlySpan<byte> payload))
        {
            return false;
        }

        if (payload.Length < TestFrame.StampLength)
        {
            _corrupt++;
            return true;
        }

        ulong sequence = BinaryPrimitives.ReadUInt64LittleEndian(payload);
        if (!_window.TryFind(sequence, out long sentAt))
        {
            return false; // answered twice, or after it was given up
        }

        _window.Close(sequence);
        bool isRight = _frames.IsPayload(payload, sequence, sentAt);
        if (sentAt < _measureFrom)
        {
            return true;
        }

        _lastCountedAt = now;
        if (isRight)
        {
            _received++;
            _roundTrips.RecordValue(Math.Clamp(now - sentAt, 1, LongestRoundTrip));
        }
        else
        {
            _corrupt++;
        }

        _isStopping |= _plan.MaxRequests != 0 && _received >= _plan.MaxRequests;
        return true;
    }

    /// <summary>What was measured.</summary>
    public TestResult Result() => new()
    {
        Sent = _sent,
        Received = _received,
        Lost = _lost,
        Corrupt = _corrupt,
        Seconds = Math.Max(_lastCountedAt - _measureFrom, 1) / 1e9,
        RoundTrip = new RoundTripPercentiles(Percentile(50), Percentile(99), Percentile(99.9), Percentile(99.99), Percentile(100)),
    };

    private void GiveUpLost(long now)
    {
        while (_window.TryFindSentBy(now - _lossTimeout, out ulong sequence, out long sentAt))
        {
            _window.Close(sequence);
            if (sentAt >= _measureFrom)
            {
                _lost++;
                _lastCountedAt = Math.Max(_lastCountedAt, Math.Min(now, _stopAt));
            }
        }
    }

    private long Percentile(double percentile) => _roundTrips.TotalCount == 0 ? 0 : _roundTrips.GetValueAtPercentile(percentile);

    private static void Require(bool condition, string field, string allowed)
    {
        if (!condition)
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, $"The test plan's {field} is out of range.", $"Give {allowed}.");
        }
    }
}
