using System.Diagnostics;
using System.Globalization;
using Arrakis.ControlPlane.Hosting;

namespace Arrakis.ControlPlane.Devices.Soft;

/// <summary>Where the software device's program is, and how it is started.</summary>
internal static class SoftDeviceProgram
{
    private const string Name = "arrakis-softdevice";

    /// <summary>Finds the program: as configured, else beside the daemon, else beside its build or publish folder.</summary>
    /// <exception cref="ConfigurationException">It is nowhere; says where it was looked for.</exception>
    internal static string Find(string? configured, string baseDirectory)
    {
        List<string> candidates = [];
        if (configured is not null)
        {
            candidates.Add(configured);
            candidates.Add(Path.Combine(configured, Name));
        }
        else
        {
            candidates.Add(Path.Combine(baseDirectory, Name));
            candidates.Add(Path.Combine(baseDirectory, "softdevice", Name));
            candidates.Add(Path.Combine(baseDirectory, "..", "softdevice", Name));

            // artifacts/build/{bin,publish}/PROJECT/CONFIGURATION
            string folder = Path.TrimEndingDirectorySeparator(baseDirectory);
            if (Path.GetDirectoryName(Path.GetDirectoryName(folder)) is { } above)
            {
                candidates.Add(Path.Combine(above, "Arrakis.SoftDevice", Path.GetFileName(folder), Name));
            }
        }

        foreach (string candidate in candidates)
        {
            foreach (string file in new[] { candidate, candidate + ".dll" })
            {
                if (File.Exists(file))
                {
                    return Path.GetFullPath(file);
                }
            }
        }

        throw new ConfigurationException($"The program {Name} is not in {string.Join(", ", candidates)}; name it in softDevicePath.");
    }

    /// <summary>The arguments of a device.</summary>
    internal static List<string> Arguments(SoftDeviceOptions options, string directory)
    {
        List<string> arguments =
        [
            "--directory", directory,
            "--functions", options.Functions.ToString(CultureInfo.InvariantCulture),
            "--idle", options.Idle,
            "--queue-size-max", options.QueueSizeMax.ToString(CultureInfo.InvariantCulture),
        ];
        if (options.Core is { } core)
        {
            arguments.AddRange(["--core", core.ToString(CultureInfo.InvariantCulture)]);
        }

        if (options.Blocks is { } blocks)
        {
            arguments.AddRange(
            [
                "--block-file", blocks.File,
                "--block-size", blocks.BlockSize.ToString(CultureInfo.InvariantCulture),
                "--block-functions", blocks.Functions.ToString(CultureInfo.InvariantCulture),
            ]);
        }

        return arguments;
    }

    /// <summary>Starts the program in a session of its own, so that neither the terminal nor the daemon's end reaches it.</summary>
    internal static Process Start(string program, IReadOnlyList<string> arguments)
    {
        var start = new ProcessStartInfo("setsid") { UseShellExecute = false }; // A child is no group leader: setsid(1) does not fork.
        if (program.EndsWith(".dll", StringComparison.Ordinal))
        {
            start.ArgumentList.Add(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet");
        }

        start.ArgumentList.Add(program);
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        foreach (string ours in new[] { "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_USEC", "WATCHDOG_PID" })
        {
            _ = start.Environment.Remove(ours);
        }

        return Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start.");
    }
}
