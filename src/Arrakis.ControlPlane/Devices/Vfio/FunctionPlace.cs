using Arrakis.Native.Pci;
using Arrakis.Native.Vfio;

namespace Arrakis.ControlPlane.Devices.Vfio;

/// <summary>Where VFIO has a function.</summary>
/// <param name="Address">On the bus.</param>
/// <param name="Interface">Which of VFIO's interfaces is used.</param>
/// <param name="Group">Its IOMMU group.</param>
/// <param name="CdevPath">Its character device; null without that interface.</param>
internal sealed record FunctionPlace(PciAddress Address, VfioInterface Interface, int Group, string? CdevPath)
{
    /// <summary>Opens it, in an empty domain of its own.</summary>
    /// <exception cref="Native.LinuxException">Somebody else has it (EBUSY, EINVAL), or it is gone (ENODEV, ENOENT).</exception>
    internal (DmaDomain Domain, VfioDevice Device) Open()
    {
        if (Interface == VfioInterface.Cdev)
        {
            IommufdDomain addressSpace = IommufdDomain.Create();
            try
            {
                return (addressSpace, VfioDevice.Open(addressSpace, CdevPath!));
            }
            catch
            {
                addressSpace.Dispose();
                throw;
            }
        }

        ContainerDomain container = ContainerDomain.Create(Group);
        try
        {
            return (container, VfioDevice.Open(container, Address.ToString()));
        }
        catch
        {
            container.Dispose();
            throw;
        }
    }
}
