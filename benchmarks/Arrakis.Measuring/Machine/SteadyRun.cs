namespace Arrakis.Measuring.Machine;

/// <summary>A run of which is known how far apart its two cores were.</summary>
public static class SteadyRun
{
    /// <summary>Makes a run, and makes it again where the cores moved apart, or together, meanwhile.</summary>
    /// <param name="here">One core.</param>
    /// <param name="there">The other.</param>
    /// <param name="attempts">How often at the most; the last one counts, steady or not.</param>
    /// <param name="run">The run; gets the nanoseconds that a cache line takes before it.</param>
    public static async Task<(T Result, MachineState State)> MakeAsync<T>(int here, int there, int attempts, Func<double, Task<T>> run)
    {
        double before = CacheLineProbe.Measure(here, there);
        for (int attempt = 1; ; attempt++)
        {
            T result = await run(before);
            double after = CacheLineProbe.Measure(here, there);
            var state = new MachineState(before, after);
            if (state.IsSteady || attempt == attempts)
            {
                return (result, state);
            }

            before = after;
        }
    }
}
