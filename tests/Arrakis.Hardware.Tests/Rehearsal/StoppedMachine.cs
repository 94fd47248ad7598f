using System.Globalization;
using System.Text;
using Arrakis.SystemTests.Support;
using Tmds.Linux;

namespace Arrakis.Hardware.Tests.Rehearsal;

/// <summary>Makes the machine look from outside as if a processor stood still, once: the next machine finds the mark of that on the share.</summary>
internal static class StoppedMachine
{
    private const string Heartbeat = "/share/heartbeat.1";

    /// <summary>Whether a machine has stopped so before; this one is marked as such.</summary>
    public static bool Before(string name)
    {
        string mark = $"/share/rehearsed.{name}";
        bool before = File.Exists(mark);
        File.WriteAllText(mark, "");
        return before;
    }

    /// <summary>Stops the heartbeat and waits for the machine's end.</summary>
    public static async Task WaitForTheEndAsync()
    {
        string process = Directory.GetDirectories("/proc").Single(static folder => Path.GetFileName(folder).All(char.IsAsciiDigit) && CommandLine(folder).EndsWith(Heartbeat + "\0", StringComparison.Ordinal));
        Assert.Equal(0, LibC.kill(int.Parse(Path.GetFileName(process), CultureInfo.InvariantCulture), Signals.Stop));
        await Task.Delay(Timeout.Infinite, TestContext.Current.CancellationToken);
    }

    private static string CommandLine(string folder)
    {
        try
        {
            return Encoding.UTF8.GetString(File.ReadAllBytes(Path.Combine(folder, "cmdline")));
        }
        catch (IOException)
        {
            return ""; // It has ended meanwhile.
        }
    }
}
