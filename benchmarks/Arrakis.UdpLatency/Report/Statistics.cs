namespace Arrakis.UdpLatency.Report;

/// <summary>Statistics over the few values that the pairs of a benchmark give.</summary>
internal static class Statistics
{
    /// <summary>The middle value, or the mean of the two middle ones.</summary>
    /// <exception cref="ArgumentException">There are no values.</exception>
    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        if (sorted.Length == 0)
        {
            throw new ArgumentException("A median needs at least one value.", nameof(values));
        }

        int middle = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}

/// <summary>The smallest and the largest of some values.</summary>
internal readonly record struct Spread(double Min, double Max)
{
    /// <summary>Finds them.</summary>
    /// <exception cref="InvalidOperationException">There are no values.</exception>
    public static Spread Of(IReadOnlyCollection<double> values) => new(values.Min(), values.Max());
}
