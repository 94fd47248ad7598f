using System.Globalization;
using Arrakis.Native;

namespace Arrakis.ControlPlane.Hosting;

/// <summary>What the service manager put into the environment (sd_listen_fds(3), sd_watchdog_enabled(3), sd_notify(3)). Read once; children do not inherit it.</summary>
internal sealed record ServiceEnvironment
{
    private const int FirstDescriptor = 3; // SD_LISTEN_FDS_START

    /// <summary>Where to notify.</summary>
    internal string? NotifySocket { get; init; }

    /// <summary>A sign of life is due this often; null where none is.</summary>
    internal TimeSpan? WatchdogPeriod { get; init; }

    /// <summary>Descriptors that the manager can keep; zero where it keeps none.</summary>
    internal int DescriptorStoreCapacity { get; init; }

    /// <summary>Descriptors that came along, by name.</summary>
    internal IReadOnlyList<(string Name, Descriptor Descriptor)> Descriptors { get; init; } = [];

    /// <summary>Reads the process's environment and takes the descriptors.</summary>
    internal static ServiceEnvironment Take()
    {
        string? notify = Environment.GetEnvironmentVariable(ServiceNotifier.SocketVariable);
        var taken = new ServiceEnvironment
        {
            NotifySocket = string.IsNullOrEmpty(notify) ? null : notify,
            WatchdogPeriod = TakeWatchdog(),
            DescriptorStoreCapacity = ReadNumber("FDSTORE") is > 0 and < int.MaxValue and var capacity ? (int)capacity : 0,
            Descriptors = TakeDescriptors(),
        };
        foreach (string name in new[] { "WATCHDOG_USEC", "WATCHDOG_PID", "FDSTORE", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES" })
        {
            Environment.SetEnvironmentVariable(name, null);
        }

        return taken;
    }

    private static TimeSpan? TakeWatchdog() =>
        ReadNumber("WATCHDOG_USEC") is > 0 and var period && (ReadNumber("WATCHDOG_PID") is not { } pid || pid == Environment.ProcessId)
            ? TimeSpan.FromMicroseconds((double)period)
            : null;

    private static List<(string Name, Descriptor Descriptor)> TakeDescriptors()
    {
        List<(string, Descriptor)> taken = [];
        if (ReadNumber("LISTEN_PID") != Environment.ProcessId || ReadNumber("LISTEN_FDS") is not (> 0 and < 100_000 and var count))
        {
            return taken;
        }

        string[] names = (Environment.GetEnvironmentVariable("LISTEN_FDNAMES") ?? "").Split(':');
        for (int i = 0; i < (int)count; i++)
        {
            // They come without close-on-exec; the copies have it.
            using var inherited = new Descriptor(FirstDescriptor + i);
            taken.Add((i < names.Length ? names[i] : "", inherited.Duplicate()));
        }

        return taken;
    }

    private static long? ReadNumber(string name) =>
        long.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out long value) ? value : null;
}
