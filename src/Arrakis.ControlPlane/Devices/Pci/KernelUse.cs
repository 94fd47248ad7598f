using Arrakis.Native.Pci;

namespace Arrakis.ControlPlane.Devices.Pci;

/// <summary>A use of a function by the kernel.</summary>
/// <param name="What">What uses it.</param>
/// <param name="Remedy">How to end that, without a full stop.</param>
internal readonly record struct FoundUse(string What, string Remedy);

/// <summary>Finds whether the kernel itself uses a function: a disk that is mounted, an interface that the machine is reached by.</summary>
/// <remarks>
/// An interface that merely is up or has an address is no obstacle: it goes away with its driver. One that carries the
/// default route, or is part of a bridge or bond, is. Interfaces in other network namespaces are not seen.
/// </remarks>
internal sealed class KernelUse(DiskUse disks, NetworkUse networks)
{
    /// <summary>The first use of a function that is found; null for none.</summary>
    /// <exception cref="SysfsException">sysfs or proc cannot be read.</exception>
    internal FoundUse? Find(PciFunction function) => disks.Find(function) ?? networks.Find(function);
}
