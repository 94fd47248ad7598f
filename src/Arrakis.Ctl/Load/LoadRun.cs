using Arrakis.Contract.Control;
using Arrakis.Ctl.Commands;

namespace Arrakis.Ctl.Load;

/// <summary>Offers loads to an echo server, one after the other.</summary>
/// <param name="session">The daemon and the terminal.</param>
/// <param name="binding">The server's binding.</param>
/// <param name="plan">What every test has in common; without a rate it is the closed loop that saturates the server.</param>
/// <param name="arrivals">How requests of an open loop are spaced.</param>
internal sealed class LoadRun(Session session, BindingDescription binding, TestPlan plan, ArrivalSpacing arrivals)
{
    /// <summary>Requests a second that are answered when as many as allowed are always under way.</summary>
    internal async Task<double> SaturateAsync()
    {
        TestResult result = await RunAsync(plan).ConfigureAwait(false);
        return result.Received / result.Seconds;
    }

    /// <summary>Measures one load.</summary>
    internal async Task<LoadRow> OfferAsync(double rate, double? saturation) =>
        LoadTotals.RowOf(await RunAsync(AtRate(rate)).ConfigureAwait(false), rate, saturation, withDistribution: true);

    /// <summary>Offers one load for long, in intervals, and shows each as it ends.</summary>
    internal async Task<LoadRow> SoakAsync(double rate, double? saturation, TimeSpan time)
    {
        var totals = new LoadTotals();
        int intervals = 0;
        IReadOnlyDictionary<string, long> drops = await ReadDropsAsync().ConfigureAwait(false);
        IReadOnlyDictionary<string, long> first = drops;
        long start = TimeProvider.System.GetTimestamp();
        while (intervals == 0 || TimeProvider.System.GetElapsedTime(start) < time)
        {
            TestPlan test = AtRate(rate) with { WarmupMilliseconds = intervals == 0 ? plan.WarmupMilliseconds : 0, Seed = unchecked(plan.Seed + intervals) };
            TestResult result = await RunAsync(test).ConfigureAwait(false);
            totals.Add(result);
            intervals++;
            IReadOnlyDictionary<string, long> after = await ReadDropsAsync().ConfigureAwait(false);
            LoadRow row = LoadTotals.RowOf(result, rate, saturation, withDistribution: false) with { Drops = Since(drops, after) };
            drops = after;
            if (!session.Json)
            {
                session.Terminal.Output.WriteLine(LoadTable.Line(TimeProvider.System.GetElapsedTime(start), row));
            }
        }

        return totals.Row(rate, saturation, withDistribution: true) with { Drops = Since(first, drops) };
    }

    private TestPlan AtRate(double rate) => plan with { RequestsPerSecond = rate, Arrivals = arrivals };

    private ValueTask<TestResult> RunAsync(TestPlan test) => session.Client.RunTestAsync(binding.Device, test, session.Cancellation);

    private async Task<IReadOnlyDictionary<string, long>> ReadDropsAsync()
    {
        IReadOnlyList<DeviceDescription> devices = await session.Client.ListDevicesAsync(session.Cancellation).ConfigureAwait(false);
        return devices.Where(device => device.Name == binding.Device).SelectMany(static device => device.VirtualFunctions)
            .FirstOrDefault(function => function.Index == binding.VirtualFunction)?.Counters.Drops ?? new Dictionary<string, long>();
    }

    private static Dictionary<string, long> Since(IReadOnlyDictionary<string, long> before, IReadOnlyDictionary<string, long> after) =>
        after.Select(drop => (drop.Key, Count: drop.Value - before.GetValueOrDefault(drop.Key)))
            .Where(static drop => drop.Count != 0)
            .ToDictionary(static drop => drop.Key, static drop => drop.Count);
}
