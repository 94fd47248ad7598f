using System.Globalization;

namespace Arrakis.Ctl.Doctor;

/// <summary>Is the kernel new enough, and built with what is needed?</summary>
internal static class KernelCheck
{
    private const string Name = "kernel";
    private const string OptionsName = "kernel options";
    private static readonly Version s_oldest = new(5, 10);
    private static readonly string[] s_forSoftware = ["CONFIG_MEMFD_CREATE", "CONFIG_EPOLL", "CONFIG_EVENTFD", "CONFIG_MEMBARRIER"];
    private static readonly string[] s_forHardware = ["CONFIG_PCI_IOV", "CONFIG_IOMMU_SUPPORT", "CONFIG_VFIO", "CONFIG_VFIO_PCI"];

    internal static IEnumerable<Finding> Run(Machine machine)
    {
        string[] parts = machine.Release.Split('.', '-', '+');
        yield return parts.Length < 2 || !Version.TryParse($"{parts[0]}.{parts[1]}", out Version? version)
            ? new Finding(Name, Severity.Note, $"Its release '{machine.Release}' has no number.", $"Linux {s_oldest} or later is needed.")
            : version < s_oldest
                ? new Finding(Name, Severity.Problem, $"Linux {machine.Release}.", $"Install Linux {s_oldest} or later.")
                : new Finding(Name, Severity.Ok, $"Linux {machine.Release}.");

        if (machine.KernelOptions is null)
        {
            yield return new Finding(OptionsName, Severity.Note, $"The machine does not say: no /proc/config.gz, no /boot/config-{machine.Release}.", "Nothing, if the rest is well.");
            yield break;
        }

        string[] software = Missing(machine, s_forSoftware);
        string[] hardware = [.. Missing(machine, s_forHardware), .. MissingInterface(machine)];
        if (software is not [])
        {
            yield return new Finding(OptionsName, Severity.Problem, Sentence(software, "without which nothing works"), "Install a kernel that has them, such as your distribution's.");
        }

        if (hardware is not [])
        {
            yield return new Finding(
                OptionsName,
                machine.MissingForHardware,
                Sentence(hardware, "which hardware bindings need"),
                machine.HasHardware ? "Install a kernel that has them, such as your distribution's." : "Nothing, as long as bindings are of software devices.");
        }

        if (software is [] && hardware is [])
        {
            yield return new Finding(OptionsName, Severity.Ok, "All that are needed are there.");
        }
    }

    private static string[] Missing(Machine machine, string[] names) => [.. names.Where(name => machine.HasKernelOption(name) == false)];

    // VFIO has two interfaces; one is enough.
    private static IEnumerable<string> MissingInterface(Machine machine) =>
        machine.HasKernelOption("CONFIG_VFIO_DEVICE_CDEV") == true || machine.HasKernelOption("CONFIG_VFIO_IOMMU_TYPE1") == true
            ? []
            : ["CONFIG_VFIO_IOMMU_TYPE1 or CONFIG_VFIO_DEVICE_CDEV"];

    private static string Sentence(string[] names, string what) => string.Create(CultureInfo.InvariantCulture, $"It is built without {string.Join(", ", names)}, {what}.");
}
