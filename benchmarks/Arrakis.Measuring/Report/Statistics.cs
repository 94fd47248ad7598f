namespace Arrakis.Measuring.Report;

/// <summary>Statistics over the few values that the pairs of a benchmark give.</summary>
public static class Statistics
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

    /// <summary>Ratios of values that were measured in pairs: what slows a whole pair down is in none of them.</summary>
    /// <param name="pairs">Ours and the other one's, of each pair; a pair whose other value is zero has no ratio.</param>
    public static IReadOnlyList<double> Ratios(IEnumerable<(double Ours, double Theirs)> pairs) =>
        [.. pairs.Where(static pair => pair.Theirs > 0).Select(static pair => pair.Ours / pair.Theirs)];

    /// <summary>The median of <see cref="Ratios"/>, rounded; null where there are none.</summary>
    /// <param name="pairs">Ours and the other one's, of each pair.</param>
    /// <param name="digits">Digits behind the point.</param>
    public static double? MedianRatio(IEnumerable<(double Ours, double Theirs)> pairs, int digits) =>
        Ratios(pairs) is { Count: > 0 } ratios ? Math.Round(Median(ratios), digits) : null;
}
