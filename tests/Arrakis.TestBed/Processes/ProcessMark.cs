using System.Globalization;
using System.Text;
using Arrakis.Native;
using Arrakis.Native.Processes;

namespace Arrakis.TestBed.Processes;

/// <summary>
/// An environment variable that processes inherit, those that a child started included, so that none is overlooked
/// at the end.
/// </summary>
public sealed class ProcessMark(string variable, string value)
{
    private const int KillSignal = 9;

    /// <summary>The variable's name.</summary>
    public string Variable => variable;

    /// <summary>Its value.</summary>
    public string Value => value;

    /// <summary>The marked processes, but for the calling one.</summary>
    public IReadOnlyList<int> Living()
    {
        byte[] mark = Encoding.ASCII.GetBytes($"{variable}={value}\0");
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

    /// <summary>Kills the marked processes; those that are started meanwhile too.</summary>
    public void KillAll()
    {
        while (Living() is { Count: > 0 } living)
        {
            foreach (int id in living)
            {
                Kill(id);
            }
        }
    }

    /// <summary>Kills a process; one that has ended meanwhile is none to kill.</summary>
    public static void Kill(int id)
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
}
