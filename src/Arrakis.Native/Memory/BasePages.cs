using System.Globalization;

namespace Arrakis.Native.Memory;

/// <summary>The machine's memory of base pages (proc_meminfo(5)).</summary>
internal static class BasePages
{
    private const string Key = "MemAvailable:";

    /// <summary>Bytes that can be allocated without swapping, as the kernel estimates; no limit where it does not say.</summary>
    public static long AvailableBytes
    {
        get
        {
            foreach (string line in File.ReadLines("/proc/meminfo"))
            {
                if (line.StartsWith(Key, StringComparison.Ordinal))
                {
                    return 1024 * long.Parse(line.AsSpan(Key.Length).Trim().TrimEnd(" kB"), CultureInfo.InvariantCulture);
                }
            }

            return long.MaxValue;
        }
    }
}
