using System.Buffers.Binary;
using Arrakis.Contract.Control;
using Arrakis.SoftDevice.Polling;
using Arrakis.Wire;

namespace Arrakis.SoftDevice.Ports.Tester;

/// <summary>
/// One test. In a closed loop a window of requests, each answered or lost before the next takes its place; in an open
/// loop requests at the times of a schedule, which wait for room in the window where there is none, and whose latency
/// counts from when they were due. What is due in the warm-up is answered but not counted.
/// </summary>
internal sealed class TestRun
{
    private const int ChecksBetweenClockReads = 64;
    private const long NanosecondsPerMillisecond = 1_000_000;

    private readonly TestPlan _plan;
    private readonly TestFrame _frames;
    private readonly InFlightWindow _window;
    private readonly ArrivalSchedule? _schedule;
    private readonly RoundTripRecorder _roundTrips = new();
    private readonly long _measureFrom;
    private readonly long _stopAt;
    private readonly long _lossTimeout;

    private long _nextLossCheck;
    private int _checks;
    private long _sent;
    private long _received;
    private long _lost;
    private long _corrupt;
    private long _delayed;
    private long _unsent;
    private long _lastCountedAt;
    private long _fullUntil; // when the window was last full
    private bool _isStopping;

    /// <summary>Starts a test.</summary>
    /// <param name="plan">A plan that <see cref="TestPlanRules"/> has passed.</param>
    /// <param name="source">The tester's MAC.</param>
    /// <param name="now">The clock's time.</param>
    public TestRun(TestPlan plan, MacAddress source, long now)
    {
        _plan = plan;
        _frames = new TestFrame(plan, source);
        _window = new InFlightWindow(plan.InFlight);
        _schedule = plan.RequestsPerSecond is { } rate ? new ArrivalSchedule(rate, plan.Arrivals, plan.Seed, now) : null;
        _measureFrom = now + plan.WarmupMilliseconds * NanosecondsPerMillisecond;
        _stopAt = _measureFrom + plan.DurationMilliseconds * NanosecondsPerMillisecond;
        _lossTimeout = plan.LossTimeoutMilliseconds * NanosecondsPerMillisecond;
        _nextLossCheck = now + _lossTimeout;
        _fullUntil = now;
        _lastCountedAt = _measureFrom;
    }

    /// <summary>The tester's address during the test.</summary>
    public Ipv4Address Source => _plan.Source;

    /// <summary>Whether the test is over.</summary>
    public bool IsDone => _isStopping && _window.Count == 0;

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
            GiveUpLost(now);
        }

        if (!_isStopping && now >= _stopAt)
        {
            _isStopping = true;
            CountUnsent();
        }

        if (_isStopping || _window.IsFull || (_plan.MaxRequests != 0 && _received + _window.Count >= _plan.MaxRequests && now >= _measureFrom))
        {
            _isStopping |= _plan.MaxRequests != 0 && _received >= _plan.MaxRequests;
            return false;
        }

        long due = now;
        if (_schedule is not null && !TryTakeDue(now, out due))
        {
            return false;
        }

        if (due >= _measureFrom)
        {
            _sent++;
        }

        frame = _frames.Request(_window.Open(due, now), due);
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
        if (!_window.TryFind(sequence, out long due))
        {
            return false; // answered twice, or after it was given up
        }

        _fullUntil = _window.IsFull ? now : _fullUntil;
        _window.Close(sequence);
        bool isRight = _frames.IsPayload(payload, sequence, due);
        if (due < _measureFrom)
        {
            return true;
        }

        _lastCountedAt = now;
        if (isRight)
        {
            _received++;
            _roundTrips.Record(now - due);
        }
        else
        {
            _corrupt++;
        }

        _isStopping |= _plan.MaxRequests != 0 && _received >= _plan.MaxRequests;
        return true;
    }

    /// <summary>What was measured. Allocates: not for the polling thread.</summary>
    public TestResult Result() => new()
    {
        Sent = _sent,
        Received = _received,
        Lost = _lost,
        Corrupt = _corrupt,
        Delayed = _delayed,
        Unsent = _unsent,
        Seconds = Math.Max(_lastCountedAt - _measureFrom, 1) / 1e9,
        RoundTrip = _roundTrips.Percentiles(),
        Histogram = _roundTrips.Encode(),
    };

    private bool TryTakeDue(long now, out long due)
    {
        due = _schedule!.Next;
        if (due > now)
        {
            return false;
        }

        _schedule.Advance();
        if (due >= _measureFrom && due < _fullUntil)
        {
            _delayed++;
        }

        return true;
    }

    /// <summary>At the end: what is due and was not sent. What was due in the warm-up does not count.</summary>
    private void CountUnsent()
    {
        if (_schedule is not null)
        {
            _unsent = _schedule.CountUntil(_stopAt) - _schedule.CountUntil(_measureFrom);
            _lastCountedAt = Math.Max(_lastCountedAt, _stopAt);
        }
    }

    private void GiveUpLost(long now)
    {
        _fullUntil = _window.IsFull ? now : _fullUntil;
        int lost = _window.GiveUp(now - _lossTimeout, _measureFrom, out long next);
        _nextLossCheck = Math.Max(Math.Min(next, now) + _lossTimeout, now + NanosecondsPerMillisecond);
        if (lost > 0)
        {
            _lost += lost;
            _lastCountedAt = Math.Max(_lastCountedAt, Math.Min(now, _stopAt));
        }
    }
}
