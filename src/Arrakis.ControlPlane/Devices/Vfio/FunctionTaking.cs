using Arrakis.Contract;
using Arrakis.ControlPlane.Devices.Igbvf;
using Arrakis.ControlPlane.Devices.Nvme;
using Arrakis.ControlPlane.Devices.Pci;
using Arrakis.ControlPlane.Devices.VirtioPci;
using Arrakis.ControlPlane.Hosting;
using Arrakis.Native.Pci;
using Arrakis.Native.Vfio;

namespace Arrakis.ControlPlane.Devices.Vfio;

/// <summary>Takes functions from the kernel for VFIO, once all of them were checked, and finds who knows their model.</summary>
internal sealed class FunctionTaking(PciBus bus, BindChecks checks, DriverBinding binding)
{
    private const ushort Intel = 0x8086, Virtio = 0x1AF4;
    private const ushort Igb82576 = 0x10CA, IgbI350 = 0x1520;
    private const ushort VirtioNet = 0x1041; // 0x1040 and the device type, 1 (virtio 1.2 §4.1.2.1).
    private const string GroupInterface = "/dev/vfio/vfio";
    private const string CdevInterface = "/dev/iommu";

    /// <summary>Takes functions of one model.</summary>
    /// <exception cref="ArrakisException">Not all of them may be taken, or the kernel does not give one; those taken are given back.</exception>
    internal async Task<PreparedFunctions> TakeAsync(IReadOnlyList<PciAddress> addresses, VfioChoice choice)
    {
        IFunctionDriver driver = DriverOf(addresses);
        foreach (PciAddress address in addresses)
        {
            checks.EnsureBindable(address, addresses);
        }

        List<PciAddress> taken = [];
        try
        {
            List<FunctionPlace> places = [];
            foreach (PciAddress address in addresses)
            {
                taken.Add(address);
                await binding.BindAsync(address).ConfigureAwait(false);
                places.Add(PlaceOf(address, choice));
            }

            return new PreparedFunctions(places, driver);
        }
        catch
        {
            await RestoreAsync(taken).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Gives functions back; what a process holds stays, and is remembered for the next start.</summary>
    internal Task RestoreAsync(IEnumerable<PciAddress> addresses) => binding.RestoreAllAsync(addresses);

    private IFunctionDriver DriverOf(IReadOnlyList<PciAddress> addresses)
    {
        IFunctionDriver? driver = null;
        foreach (PciAddress address in addresses)
        {
            PciFunction function = checks.Require(address);
            IFunctionDriver found = (function.VendorId, function.DeviceId) switch
            {
                _ when function.IsNvme => new NvmeDriver(),
                (Intel, Igb82576 or IgbI350) => new IgbvfDriver(),
                (Virtio, VirtioNet) => new VirtioPciDriver(),
                _ => throw new ArrakisException(
                    ErrorCode.InvalidRequest,
                    $"{address} is a {function.VendorId:x4}:{function.DeviceId:x4}, for which there is no ring engine.",
                    "Virtual functions of Intel's 82576 and I350, modern virtio-net, and NVMe controllers are served; docs/hardware.md has the list."),
            };
            if (driver is not null && driver.Model != found.Model)
            {
                throw new ArrakisException(ErrorCode.InvalidRequest, $"{address} is a {found.Model} and others of the device are not.", "Make a device of each model.");
            }

            driver = found;
        }

        return driver ?? throw new ArrakisException(ErrorCode.InvalidRequest, "No functions are named.", "Name one at least.");
    }

    private FunctionPlace PlaceOf(PciAddress address, VfioChoice choice)
    {
        PciFunction function = bus.Read(address);
        int group = function.IommuGroup
            ?? throw new ArrakisException(ErrorCode.NoIommu, $"{address} is in no IOMMU group.", "Switch the IOMMU on in the firmware and on the kernel's command line (intel_iommu=on).");
        string? cdev = function.VfioDevice is { } name ? $"/dev/vfio/devices/{name}" : null;
        bool hasCdev = cdev is not null && File.Exists(CdevInterface);
        bool useCdev = choice == VfioChoice.Cdev || (choice == VfioChoice.Auto && hasCdev);
        if (useCdev && !hasCdev)
        {
            throw new ArrakisException(ErrorCode.NoVfio, $"The kernel has no character device of VFIO for {address}, or no {CdevInterface}.", "Use a kernel with CONFIG_IOMMUFD and CONFIG_VFIO_DEVICE_CDEV, or configure \"vfio\": \"group\".");
        }

        if (!useCdev && !File.Exists(GroupInterface))
        {
            throw new ArrakisException(ErrorCode.NoVfio, $"The kernel has no {GroupInterface}.", "Load vfio-pci (modprobe vfio-pci), or use a kernel with CONFIG_VFIO_GROUP and CONFIG_VFIO_CONTAINER.");
        }

        return new FunctionPlace(address, useCdev ? VfioInterface.Cdev : VfioInterface.Group, group, useCdev ? cdev : null);
    }
}
