using Arrakis.Native.Pci;

namespace Arrakis.Ctl.Doctor;

/// <summary>Can functions be handed to processes, and by which of VFIO's interfaces?</summary>
internal static class VfioCheck
{
    private const string Name = "VFIO";
    private const string Cdev = "dev/iommu";
    private const string Legacy = "dev/vfio/vfio";
    private const string Unsafe = "sys/module/vfio/parameters/enable_unsafe_noiommu_mode";

    internal static IEnumerable<Finding> Run(Machine machine)
    {
        yield return machine.Bus.HasDriver(PciFunction.VfioDriver) ? Interface(machine) : Missing(machine);
        if (machine.ReadText(Unsafe) == "Y")
        {
            yield return new Finding(
                "no-IOMMU mode",
                Severity.Note,
                "VFIO hands out functions that no IOMMU stands before: who has one can read and write all of the machine's memory.",
                "Write N to /sys/module/vfio/parameters/enable_unsafe_noiommu_mode, unless every holder is trusted like root. arrakisd does not use it.");
        }
    }

    private static Finding Interface(Machine machine)
    {
        // The character device of a function comes with its binding; until then the kernel's options tell.
        bool cdev = machine.Exists(Cdev)
            && (machine.Exists("dev/vfio/devices") || machine.HasKernelOption("CONFIG_VFIO_DEVICE_CDEV") != false);
        return cdev
            ? new Finding(Name, Severity.Ok, "vfio-pci is there; arrakisd uses the interface cdev with iommufd (/dev/iommu).")
            : machine.Exists(Legacy)
                ? new Finding(Name, Severity.Ok, "vfio-pci is there; arrakisd uses the interface group and container, type 1 (/dev/vfio/vfio).")
                : new Finding(Name, machine.MissingForHardware, "vfio-pci is there, but neither /dev/iommu nor /dev/vfio/vfio.", "Run 'modprobe vfio_iommu_type1' or 'modprobe iommufd'; in a container, pass these devices in.");
    }

    private static Finding Missing(Machine machine)
    {
        bool hasModule = machine.ReadText($"lib/modules/{machine.Release}/modules.dep")?.Contains("/vfio-pci.ko", StringComparison.Ordinal) == true;
        (string seen, string remedy) = hasModule
            ? ("vfio-pci is not loaded.", "Run 'modprobe vfio-pci', and name it in /etc/modules-load.d.")
            : machine.HasKernelOption("CONFIG_VFIO_PCI") == false
                ? ("The kernel is built without vfio-pci.", "Install a kernel with CONFIG_VFIO_PCI, such as your distribution's.")
                : ("The kernel has no vfio-pci, loaded or to load.", "Install the kernel's modules, and run 'modprobe vfio-pci'.");
        return new Finding(Name, machine.MissingForHardware, seen, machine.HasHardware ? remedy : $"Nothing, as long as bindings are of software devices. For hardware: {remedy}");
    }
}
