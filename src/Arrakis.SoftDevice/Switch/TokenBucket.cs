using Arrakis.Contract;

namespace Arrakis.SoftDevice.Switch;

/// <summary>
/// A token bucket (RFC 2697 §3, one rate and one burst) over the bytes of frames as they are in memory. Exact: the
/// level is counted in bit-nanoseconds, so that neither elapsed time nor a frame's size is ever rounded. A frame that is
/// larger than the burst, as one that is still to be cut may be, passes when the bucket is full, and leaves it in debt.
/// </summary>
internal struct TokenBucket
{
    private const long NanosecondsPerSecond = 1_000_000_000;
    private const int MaxBurstBytes = 1 << 30; // 8 * 2^30 * 1e9 is the largest power of two that fits in a long.

    private readonly long _bitsPerSecond;
    private readonly long _capacity;
    private readonly long _nanosecondsToFill;
    private long _level;
    private long _updatedAt;

    /// <summary>Makes a full bucket.</summary>
    /// <param name="rate">Rate and burst. A burst below the largest frame counts as the largest frame, or such a frame could never pass.</param>
    /// <param name="now">Nanoseconds of a monotonic clock.</param>
    public TokenBucket(RateSpecifier rate, long now)
    {
        _bitsPerSecond = rate.BitsPerSecond;
        _capacity = Cost(Math.Clamp(rate.BurstBytes, EthernetSwitch.MaxFrameLength, MaxBurstBytes));
        _nanosecondsToFill = _capacity / _bitsPerSecond + 1;
        _level = _capacity;
        _updatedAt = now;
    }

    /// <summary>Takes the tokens of a frame, if there are enough of them by now.</summary>
    public bool TryTake(int bytes, long now)
    {
        Fill(now);
        long cost = Cost(bytes);
        if (Math.Min(cost, _capacity) > _level)
        {
            return false;
        }

        _level -= cost;
        return true;
    }

    /// <summary>Nanoseconds until there are enough tokens for a frame; zero where there are by now.</summary>
    public long TimeUntil(int bytes, long now)
    {
        Fill(now);
        long missing = Math.Min(Cost(bytes), _capacity) - _level;
        return missing <= 0 ? 0 : (missing - 1) / _bitsPerSecond + 1;
    }

    private void Fill(long now)
    {
        long elapsed = now - _updatedAt;
        if (elapsed > 0)
        {
            _updatedAt = now;
            long toFill = _level >= 0 ? _nanosecondsToFill : (_capacity - _level) / _bitsPerSecond + 1;
            _level = elapsed >= toFill ? _capacity : _level + Math.Min(_capacity - _level, elapsed * _bitsPerSecond);
        }
    }

    // A second brings _bitsPerSecond * 1e9 bit-nanoseconds: that many bits.
    private static long Cost(int bytes) => bytes * 8L * NanosecondsPerSecond;
}
