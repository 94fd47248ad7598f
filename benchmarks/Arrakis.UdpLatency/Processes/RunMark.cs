using System.Globalization;
using System.Text;
using Arrakis.Native;
using Arrakis.Native.Processes;

namespace Arrakis.UdpLatency.Processes;

/// <summary>
/// An environment variable that all processes of this run inherit, those that a child started included (the daemon's
/// device and keeper), so that none is overlooked at the end.
/// </summary>
internal static class RunMark
{
    public const string Variable = "ARRAKIS_DEMO_RUN";
    private const int KillSignal = 9;
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(20);

    public static string Value { get; } = string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessId}.{DateTime.UtcNow.Ticks}");

    /// <summary>Waits for the run's processes to end, and kills those that do not.</summary>
    /// <exception cref="InvalidOperationException">Some had to be killed.</exception>
    public static async Task EndAllAsync()
    {
        long start = TimeProvider.System.GetTimestamp();
        List<string> killed = [];
        while (Living() is { Count: > 0 } living)
        {
            if (TimeProvider.System.GetElapsedTime(start) > s_grace)
            {
                killed.AddRange(living.Select(id => $"{id} ({NameOf(id)})"));
                living.ForEach(Kill);
                start = TimeProvider.System.GetTimestamp();
            }

            await Task.Delay(s_pause);
        }

        if (killed.Count > 0)
        {
            throw new InvalidOperationException($"they did not end and were killed: {string.Join(", ", killed)}");
        }
    }

    private static List<int> Living()
    {
        byte[] mark = Encoding.ASCII.GetBytes($"{Variable}={Value}\0");
        List<int> living = [];
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out int id) && id != Environment.ProcessId && Has(id, mark))
            {
                living.Add(id);
            }
        }

        return living;
    }

    private static bool Has(int id, byte[] mark)
    {
        try
        {
            return File.ReadAllBytes($"/proc/{id}/environ").AsSpan().IndexOf(mark) >= 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // It has ended, or it is nobody of ours.
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

    private static void Kill(int id)
    {
        try
        {
            using ProcessDescriptor process = ProcessDescriptor.Open(id);
            _ = process.Signal(KillSignal);
        }
        catch (LinuxException)
        {
            // It has ended meanwhile.
        }
    }
}
