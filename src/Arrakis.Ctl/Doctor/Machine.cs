using System.Globalization;
using System.IO.Compression;
using Arrakis.Native.Pci;

namespace Arrakis.Ctl.Doctor;

/// <summary>The files of a machine that the checks look at. Nothing is changed, no device is opened.</summary>
internal sealed class Machine
{
    private const int MaxFileLength = 16 << 20;
    private readonly string _root;

    /// <summary>Looks at a machine.</summary>
    /// <param name="root">Its root folder.</param>
    internal Machine(string root)
    {
        _root = root;
        Bus = new PciBus(At("sys"));
        Functions = Bus.Functions();
        Groups = Bus.Groups();
        Release = ReadText("proc/sys/kernel/osrelease") ?? "";
        CommandLine = (ReadText("proc/cmdline") ?? "").Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
        KernelOptions = ReadKernelOptions();
    }

    internal PciBus Bus { get; }

    internal IReadOnlyList<PciFunction> Functions { get; }

    internal IReadOnlyList<IommuGroup> Groups { get; }

    /// <summary>The kernel's release, such as 6.12.0-1-amd64.</summary>
    internal string Release { get; }

    /// <summary>What the kernel was started with.</summary>
    internal IReadOnlyList<string> CommandLine { get; }

    /// <summary>What the kernel was built with, such as CONFIG_VFIO to "y"; null where the machine does not say.</summary>
    internal IReadOnlyDictionary<string, string>? KernelOptions { get; }

    /// <summary>Whether there is hardware that processes could have: functions with SR-IOV, or bound to VFIO.</summary>
    internal bool HasHardware => Functions.Any(static function => function.SriovTotalVfs > 0 || function.Driver == PciFunction.VfioDriver);

    /// <summary>How bad it is that something is missing which only hardware needs.</summary>
    internal Severity MissingForHardware => HasHardware ? Severity.Problem : Severity.Note;

    /// <summary>Whether an IOMMU stands before devices.</summary>
    internal bool HasIommu => Groups.Any(static group => !group.IsNoIommu);

    /// <summary>Whether the machine is itself a guest.</summary>
    internal bool IsGuest => (ReadText("proc/cpuinfo") ?? "").Split('\n').FirstOrDefault(static line => line.StartsWith("flags", StringComparison.Ordinal))?.Split(' ').Contains("hypervisor") == true;

    internal string At(string path) => Path.Combine(_root, path);

    internal bool Exists(string path) => Path.Exists(At(path));

    /// <summary>A text without the line's end; null where there is no such file, or this user may not read it.</summary>
    internal string? ReadText(string path)
    {
        try
        {
            using FileStream file = File.OpenRead(At(path));
            return ReadAll(file).TrimEnd('\n');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>A number; null where there is none.</summary>
    internal long? ReadNumber(string path) => long.TryParse(ReadText(path), NumberStyles.None, CultureInfo.InvariantCulture, out long value) ? value : null;

    /// <summary>The value of an option of the kernel's command line, "" where it has none; null where it is not given. The last one counts.</summary>
    internal string? CommandLineOption(string name) =>
        CommandLine.LastOrDefault(word => word == name || word.StartsWith(name + "=", StringComparison.Ordinal)) is { } word ? word[Math.Min(word.Length, name.Length + 1)..] : null;

    /// <summary>Whether the kernel has an option, built in or as a module; null where the machine does not say.</summary>
    internal bool? HasKernelOption(string name) => KernelOptions is null ? null : KernelOptions.ContainsKey(name);

    /// <summary>Names of what is in a folder.</summary>
    internal IReadOnlyList<string> Names(string folder, string pattern) => SysfsFile.Names(At(folder), pattern);

    /// <summary>How many numbers a list such as 0-3,7 has; zero where it makes no sense.</summary>
    internal static int CountOf(string? list)
    {
        int count = 0;
        foreach (string part in (list ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string[] ends = part.Split('-');
            if (ends.Length <= 2 && int.TryParse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture, out int first)
                && int.TryParse(ends[^1], NumberStyles.None, CultureInfo.InvariantCulture, out int last) && last >= first)
            {
                count += last - first + 1;
            }
        }

        return count;
    }

    private Dictionary<string, string>? ReadKernelOptions()
    {
        string? text = ReadPacked("proc/config.gz") ?? ReadText($"boot/config-{Release}") ?? ReadText($"usr/lib/modules/{Release}/config");
        if (text is null)
        {
            return null;
        }

        Dictionary<string, string> options = new(StringComparer.Ordinal);
        foreach (string line in text.Split('\n'))
        {
            int equals = line.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0 && line.StartsWith("CONFIG_", StringComparison.Ordinal))
            {
                options[line[..equals]] = line[(equals + 1)..];
            }
        }

        return options;
    }

    private string? ReadPacked(string path)
    {
        try
        {
            using FileStream file = File.OpenRead(At(path));
            using var unpacked = new GZipStream(file, CompressionMode.Decompress);
            return ReadAll(unpacked);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            return null;
        }
    }

    private static string ReadAll(Stream stream)
    {
        using var reader = new StreamReader(stream);
        char[] buffer = new char[4096];
        var text = new System.Text.StringBuilder();
        for (int read; text.Length < MaxFileLength && (read = reader.Read(buffer)) > 0;)
        {
            _ = text.Append(buffer, 0, read);
        }

        return text.ToString();
    }
}
