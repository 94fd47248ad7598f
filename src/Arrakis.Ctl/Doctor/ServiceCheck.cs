using System.Globalization;

namespace Arrakis.Ctl.Doctor;

/// <summary>Does systemd's unit of arrakisd let it do what it must?</summary>
internal static class ServiceCheck
{
    private const string Name = "arrakisd.service";
    private const int FewDescriptors = 8192;
    private const string Overrides = "etc/systemd/system/arrakisd.service.d";
    private static readonly string[] s_units = ["etc/systemd/system/arrakisd.service", "usr/lib/systemd/system/arrakisd.service", "lib/systemd/system/arrakisd.service"];

    internal static IEnumerable<Finding> Run(Machine machine)
    {
        if (Read(machine) is not { } settings)
        {
            yield return new Finding(Name, Severity.Note, "Not installed.", "Nothing, where another service manager runs arrakisd; else 'make install'.");
            yield break;
        }

        string memory = settings.GetValueOrDefault("LimitMEMLOCK", "8M");
        string files = settings.GetValueOrDefault("LimitNOFILE", "1024:524288");
        bool pins = memory == "infinity";
        bool opens = files == "infinity" || (int.TryParse(files.Split(':')[0], NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count >= FewDescriptors);
        if (!pins)
        {
            yield return new Finding(Name, machine.MissingForHardware, $"LimitMEMLOCK={memory}: hardware needs queue memory to be pinned.", Override("LimitMEMLOCK=infinity"));
        }

        if (!opens)
        {
            yield return new Finding(Name, Severity.Note, $"LimitNOFILE={files}: a binding takes ten descriptors and more.", Override("LimitNOFILE=65536"));
        }

        // Without the first /sys is read-only, without the others VFIO cannot be opened.
        string[] closed =
        [
            .. settings.GetValueOrDefault("ProtectKernelTunables") == "yes" ? ["ProtectKernelTunables=no"] : Array.Empty<string>(),
            .. settings.GetValueOrDefault("DevicePolicy") is "closed" or "strict" && !settings.GetValueOrDefault("DeviceAllow", "").Contains("vfio", StringComparison.Ordinal)
                ? ["DeviceAllow=char-vfio rw", "DeviceAllow=/dev/iommu rw"]
                : Array.Empty<string>(),
        ];
        if (closed is not [] && machine.HasHardware)
        {
            yield return new Finding(Name, Severity.Problem, "It keeps arrakisd from binding hardware.", Override(closed));
        }
        else if (pins && opens)
        {
            yield return new Finding(Name, Severity.Ok, $"LimitMEMLOCK={memory}, LimitNOFILE={files}.");
        }
    }

    private static string Override(params string[] lines) => $"Run 'systemctl edit arrakisd', and below [Service] write: {string.Join("; ", lines)}.";

    private static Dictionary<string, string>? Read(Machine machine)
    {
        if (s_units.Select(machine.ReadText).FirstOrDefault(static text => text is not null) is not { } unit)
        {
            return null;
        }

        Dictionary<string, string> settings = new(StringComparer.Ordinal);
        foreach (string text in machine.Names(Overrides, "*.conf").Select(name => machine.ReadText($"{Overrides}/{name}") ?? "").Prepend(unit))
        {
            foreach (string line in text.Split('\n', StringSplitOptions.TrimEntries))
            {
                int equals = line.IndexOf('=', StringComparison.Ordinal);
                if (equals <= 0 || line[0] is '#' or ';')
                {
                    continue;
                }

                string name = line[..equals];
                string value = line[(equals + 1)..];
                settings[name] = name == "DeviceAllow" && value.Length > 0 && settings.TryGetValue(name, out string? before) ? $"{before} {value}" : value; // Others replace.
            }
        }

        return settings;
    }
}
