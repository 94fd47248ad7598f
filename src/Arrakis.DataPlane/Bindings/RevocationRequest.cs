using System.Diagnostics;
using Arrakis.Contract;

namespace Arrakis;

/// <summary>The control plane asks for something back (visible revocation).</summary>
/// <param name="Kind">What is asked for.</param>
/// <param name="Units">How many.</param>
/// <param name="DeadlineNanoseconds">CLOCK_MONOTONIC nanoseconds by which it is to be back.</param>
public readonly record struct RevocationRequest(ResourceKind Kind, uint Units, long DeadlineNanoseconds)
{
    private const double NanosecondsPerTick = 100;

    /// <summary>Time left; negative past the deadline.</summary>
    public TimeSpan Remaining
    {
        get
        {
            // Stopwatch reads CLOCK_MONOTONIC on Linux, in nanoseconds.
            double now = Stopwatch.GetTimestamp() * (1e9 / Stopwatch.Frequency);
            return TimeSpan.FromTicks((long)((DeadlineNanoseconds - now) / NanosecondsPerTick));
        }
    }
}
