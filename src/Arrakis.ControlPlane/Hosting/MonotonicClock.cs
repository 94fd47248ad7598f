namespace Arrakis.ControlPlane.Hosting;

/// <summary>CLOCK_MONOTONIC in nanoseconds, as holders read it too; of a test's clock its own timestamps.</summary>
internal static class MonotonicClock
{
    internal static long GetNanoseconds(this TimeProvider time) =>
        (long)(time.GetTimestamp() * (1e9 / time.TimestampFrequency));
}
