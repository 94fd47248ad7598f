namespace Arrakis.Measuring.Machine;

/// <summary>How far apart the two cores were during a run: what a cache line took there and back, before and after it.</summary>
/// <param name="Before">Nanoseconds.</param>
/// <param name="After">Nanoseconds.</param>
public readonly record struct MachineState(double Before, double After)
{
    // Between the states of a virtual machine lies a factor of three to five, within one a tenth.
    private const double Tolerance = 1.6;

    /// <summary>Whether the machine was the same all the time, as far as can be seen.</summary>
    public bool IsSteady => AreAlike(Before, After);

    /// <summary>Nanoseconds, on average.</summary>
    public double Line => (Before + After) / 2;

    /// <summary>Whether two runs can be compared.</summary>
    public bool IsLike(MachineState other) => IsSteady && other.IsSteady && AreAlike(Line, other.Line);

    private static bool AreAlike(double a, double b) => Math.Max(a, b) <= Tolerance * Math.Min(a, b);
}
