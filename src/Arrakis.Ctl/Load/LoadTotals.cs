using Arrakis.Contract.Control;

namespace Arrakis.Ctl.Load;

/// <summary>Sums up tests of one offered load; as large after a day as after a second.</summary>
internal sealed class LoadTotals
{
    private readonly RoundTrips _times = new();
    private double _seconds;
    private long _sent;
    private long _received;
    private long _lost;
    private long _unsent;
    private long _delayed;
    private long _corrupt;

    /// <summary>Adds a test.</summary>
    internal void Add(TestResult result)
    {
        _times.Add(result);
        _seconds += result.Seconds;
        _sent += result.Sent;
        _received += result.Received;
        _lost += result.Lost;
        _unsent += result.Unsent;
        _delayed += result.Delayed;
        _corrupt += result.Corrupt;
    }

    /// <summary>The row of one test.</summary>
    internal static LoadRow RowOf(TestResult result, double offered, double? saturation, bool withDistribution)
    {
        var totals = new LoadTotals();
        totals.Add(result);
        return totals.Row(offered, saturation, withDistribution);
    }

    /// <summary>The row of all tests so far.</summary>
    internal LoadRow Row(double offered, double? saturation, bool withDistribution) => new()
    {
        LoadPercent = saturation is { } full ? Math.Round(100 * offered / full, 2) : null,
        OfferedRps = Math.Round(offered, 3),
        AchievedRps = _seconds > 0 ? Math.Round(_received / _seconds, 3) : 0,
        Sent = _sent,
        Received = _received,
        Lost = _lost,
        Unsent = _unsent,
        Delayed = _delayed,
        Corrupt = _corrupt,
        P50 = _times.Percentile(50),
        P90 = _times.Percentile(90),
        P99 = _times.Percentile(99),
        P999 = _times.Percentile(99.9),
        P9999 = _times.Percentile(99.99),
        Max = _times.Percentile(100),
        Distribution = withDistribution ? _times.Distribution() : null,
    };
}
