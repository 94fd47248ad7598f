using Arrakis.Native.Threads;

namespace Arrakis.SystemTests.Support;

/// <summary>The two cores of a test that has one poller on each: the device's and the application's.</summary>
internal static class Cores
{
    private static readonly IReadOnlyList<int> s_allowed = PinnedThread.AllowedCores();

    public static int Device => s_allowed[0];

    public static int Application => s_allowed.Count > 1
        ? s_allowed[1]
        : throw new InvalidOperationException("These tests need two cores.");
}
