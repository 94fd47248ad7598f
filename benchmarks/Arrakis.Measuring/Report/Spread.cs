namespace Arrakis.Measuring.Report;

/// <summary>The smallest and the largest of some values.</summary>
/// <param name="Min">The smallest.</param>
/// <param name="Max">The largest.</param>
public readonly record struct Spread(double Min, double Max)
{
    /// <summary>Finds them.</summary>
    /// <exception cref="InvalidOperationException">There are no values.</exception>
    public static Spread Of(IReadOnlyCollection<double> values) => new(values.Min(), values.Max());
}
