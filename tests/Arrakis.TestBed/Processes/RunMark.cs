using System.Globalization;

namespace Arrakis.TestBed.Processes;

/// <summary>Marks all processes of this run, so that none is overlooked at the end.</summary>
public static class RunMark
{
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(20);

    /// <summary>The mark.</summary>
    public static ProcessMark Current { get; } = new("ARRAKIS_DEMO_RUN", string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessId}.{DateTime.UtcNow.Ticks}"));

    /// <summary>Waits for the run's processes to end, and kills those that do not.</summary>
    /// <exception cref="InvalidOperationException">Some had to be killed.</exception>
    public static async Task EndAllAsync()
    {
        long start = TimeProvider.System.GetTimestamp();
        List<string> killed = [];
        while (Current.Living() is { Count: > 0 } living)
        {
            if (TimeProvider.System.GetElapsedTime(start) > s_grace)
            {
                killed.AddRange(living.Select(id => $"{id} ({NameOf(id)})"));
                Current.KillAll();
                start = TimeProvider.System.GetTimestamp();
            }

            await Task.Delay(s_pause);
        }

        if (killed.Count > 0)
        {
            throw new InvalidOperationException($"they did not end and were killed: {string.Join(", ", killed)}");
        }
    }

    private static string NameOf(int id)
    {
        try
        {
            return File.ReadAllText($"/proc/{id}/comm").Trim();
        }
        catch (IOException)
        {
            return "ended meanwhile";
        }
    }
}
