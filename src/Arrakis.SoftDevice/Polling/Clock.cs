using System.Diagnostics;

namespace Arrakis.SoftDevice.Polling;

/// <summary>Nanoseconds of a monotonic clock: the machine's (no system call), or one that a test moves.</summary>
internal sealed class Clock
{
    private readonly bool _manual;
    private long _now;

    private Clock(bool manual) => _manual = manual;

    /// <summary>The machine's clock.</summary>
    public static Clock Machine { get; } = new(manual: false);

    /// <summary>Nanoseconds since some start.</summary>
    public long Now => _manual ? _now : Stopwatch.GetTimestamp();

    /// <summary>Makes a clock that stands still until it is moved.</summary>
    public static Clock Manual() => new(manual: true);

    /// <summary>Moves a manual clock on.</summary>
    public void Advance(long nanoseconds) => _now += nanoseconds;
}
