using Arrakis.Contract.Control;

namespace Arrakis.SoftDevice.Ports.Tester;

/// <summary>When the requests of an open loop are due. The same plan gives the same times.</summary>
internal sealed class ArrivalSchedule
{
    private const double NanosecondsPerSecond = 1e9;

    private readonly double _spacing;
    private readonly bool _isRandom;
    private ulong _random;
    private double _sinceStart; // kept whole, so that rounding to nanoseconds does not change the rate
    private readonly long _start;

    /// <param name="requestsPerSecond">The rate.</param>
    /// <param name="arrivals">How requests are spaced.</param>
    /// <param name="seed">Of random spacing.</param>
    /// <param name="start">When the first is due, or the first space begins.</param>
    public ArrivalSchedule(double requestsPerSecond, ArrivalSpacing arrivals, int seed, long start)
    {
        _spacing = NanosecondsPerSecond / requestsPerSecond;
        _isRandom = arrivals == ArrivalSpacing.Poisson;
        _random = (uint)seed;
        _start = start;
        _sinceStart = _isRandom ? Space() : 0;
        Next = _start + (long)_sinceStart;
    }

    /// <summary>When the next request is due.</summary>
    public long Next { get; private set; }

    /// <summary>Goes on to the request after the next.</summary>
    public void Advance()
    {
        _sinceStart += Space();
        Next = _start + (long)_sinceStart;
    }

    /// <summary>How many requests are due before a time, the next included: exactly where they are evenly spaced, the mean where not.</summary>
    public long CountUntil(long time) => Next >= time ? 0 : 1 + (long)((time - 1 - Next) / _spacing);

    private double Space() => _isRandom ? -Math.Log(NextUniform()) * _spacing : _spacing;

    /// <summary>Uniform in (0, 1], by SplitMix64 (Steele, Lea, Flood 2014): no allocation, no state but one word.</summary>
    private double NextUniform()
    {
        _random += 0x9E37_79B9_7F4A_7C15;
        ulong mixed = _random;
        mixed = (mixed ^ mixed >> 30) * 0xBF58_476D_1CE4_E5B9;
        mixed = (mixed ^ mixed >> 27) * 0x94D0_49BB_1331_11EB;
        mixed ^= mixed >> 31;
        return ((mixed >> 11) + 1) * (1.0 / (1UL << 53));
    }
}
