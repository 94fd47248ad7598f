using System.Globalization;

namespace Arrakis.Ctl.Doctor;

/// <summary>Does an IOMMU stand between devices and memory?</summary>
internal static class IommuCheck
{
    private const string Name = "IOMMU";
    private const string Intel = "sys/firmware/acpi/tables/DMAR";
    private const string Amd = "sys/firmware/acpi/tables/IVRS";
    private const string UnsafeInterrupts = "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts";

    internal static IEnumerable<Finding> Run(Machine machine)
    {
        if (machine.HasIommu)
        {
            string through = machine.CommandLineOption("iommu") == "pt" ? ", the kernel's own devices pass through it (iommu=pt)" : "";
            yield return new Finding(Name, Severity.Ok, string.Create(CultureInfo.InvariantCulture, $"{machine.Groups.Count(static group => !group.IsNoIommu)} groups ({Firmware(machine)}){through}."));
        }
        else
        {
            (string seen, string remedy) = Explain(machine);
            yield return new Finding(Name, machine.MissingForHardware, seen, machine.HasHardware ? remedy : $"Nothing, as long as bindings are of software devices. For hardware: {remedy}");
        }

        if (machine.ReadText(UnsafeInterrupts) == "Y")
        {
            yield return new Finding(
                "interrupts",
                Severity.Note,
                "VFIO takes devices whose interrupts the IOMMU does not check: a device can raise any interrupt of the machine.",
                "Remove allow_unsafe_interrupts=1 from vfio_iommu_type1's options, and switch interrupt remapping on in the firmware.");
        }
    }

    private static (string Seen, string Remedy) Explain(Machine machine)
    {
        bool intel = machine.Exists(Intel);
        bool amd = machine.Exists(Amd);
        if (intel || amd)
        {
            string option = intel ? "intel_iommu" : "amd_iommu";
            string? switchedOff = new[] { $"{option}=off", "iommu=off" }.FirstOrDefault(machine.CommandLine.Contains);
            return switchedOff is not null
                ? ($"The firmware has one ({Firmware(machine)}), but the kernel was started with {switchedOff}.", $"Remove {switchedOff} from the kernel's command line.")
                : ($"The firmware has one ({Firmware(machine)}), but the kernel does not use it.", $"Add {option}=on to the kernel's command line.");
        }

        return machine.IsGuest
            ? ("None: this is a virtual machine that was given none.", "Give it one; with QEMU: -machine q35,kernel-irqchip=split -device intel-iommu,intremap=on,caching-mode=on before the devices, and intel_iommu=on on the kernel's command line.")
            : ("None: neither an ACPI table DMAR nor IVRS.", "Switch VT-d (Intel) or AMD-Vi (AMD) on in the firmware, and add intel_iommu=on or amd_iommu=on to the kernel's command line.");
    }

    private static string Firmware(Machine machine) => machine.Exists(Intel) ? "Intel, ACPI table DMAR" : machine.Exists(Amd) ? "AMD, ACPI table IVRS" : "no ACPI table of Intel or AMD";
}
