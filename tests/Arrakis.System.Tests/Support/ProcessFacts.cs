using System.Globalization;

namespace Arrakis.SystemTests.Support;

/// <summary>What the kernel says of a process (proc(5)).</summary>
internal static class ProcessFacts
{
    /// <summary>Whether it runs; a zombie does not.</summary>
    public static bool IsAlive(int processId)
    {
        try
        {
            string status = File.ReadAllText($"/proc/{processId}/stat");
            return status[(status.LastIndexOf(')') + 2)..][0] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>Its open descriptors: what each is, and how often.</summary>
    public static IReadOnlyDictionary<string, int> Descriptors(int processId)
    {
        Dictionary<string, int> descriptors = [];
        foreach (string entry in Directory.GetFileSystemEntries($"/proc/{processId}/fd"))
        {
            // The runtime opens assemblies when it needs them, once.
            if (new FileInfo(entry).LinkTarget is { } target && !target.EndsWith(".dll", StringComparison.Ordinal))
            {
                // Sockets and pipes by kind, memory files without the binding's number.
                string kind = target.Split(':', '-')[0];
                descriptors[kind] = descriptors.GetValueOrDefault(kind) + 1;
            }
        }

        return descriptors;
    }

    /// <summary>Bytes of memory that it has in the machine, memory of others that it has mapped included.</summary>
    public static long ResidentBytes(int processId)
    {
        const string Key = "VmRSS:";
        foreach (string line in File.ReadLines($"/proc/{processId}/status"))
        {
            if (line.StartsWith(Key, StringComparison.Ordinal))
            {
                return 1024 * long.Parse(line[Key.Length..^"kB".Length].Trim(), CultureInfo.InvariantCulture);
            }
        }

        return 0;
    }
}
