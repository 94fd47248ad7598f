using Arrakis.Contract;
using Arrakis.Native.Pci;

namespace Arrakis.ControlPlane.Devices.Pci;

/// <summary>Refuses functions that must not be taken from the kernel, each with what to do about it.</summary>
/// <param name="bus">Where functions are read.</param>
/// <param name="use">Finds what the kernel uses.</param>
internal sealed class BindChecks(PciBus bus, KernelUse use)
{
    /// <summary>Refuses a function that may not be bound to vfio-pci for a process.</summary>
    /// <param name="address">The function.</param>
    /// <param name="ours">All functions that the daemon has or is about to take.</param>
    /// <exception cref="ArrakisException">DeviceInUse, ForeignGroup, NoIommu, UnknownDevice, or InvalidRequest for a bridge.</exception>
    internal void EnsureBindable(PciAddress address, IReadOnlyCollection<PciAddress> ours)
    {
        PciFunction function = Require(address);
        if (function.IsBridge)
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, $"{address} is a bridge.", "Name a function of a device.");
        }

        EnsureUnused(function);
        EnsureIsolated(function, ours);
    }

    /// <summary>Reads a function that somebody has named.</summary>
    /// <exception cref="ArrakisException">UnknownDevice: the machine has none there.</exception>
    internal PciFunction Require(PciAddress address) =>
        bus.TryRead(address) ?? throw new ArrakisException(ErrorCode.UnknownDevice, $"The machine has no PCI function {address}.", "'lspci -D' lists those that it has.");

    /// <summary>Refuses a function that the kernel itself uses.</summary>
    /// <exception cref="ArrakisException">DeviceInUse.</exception>
    internal void EnsureUnused(PciFunction function)
    {
        if (function.SriovNumVfs > 0)
        {
            throw new ArrakisException(
                ErrorCode.DeviceInUse,
                $"{function.Address} has {function.SriovNumVfs} virtual functions switched on.",
                $"Name one of them, or switch them off: echo 0 > {bus.PathOf(function.Address)}/sriov_numvfs.");
        }

        if (use.Find(function) is { } found)
        {
            throw new ArrakisException(ErrorCode.DeviceInUse, $"{function.Address} is in use by the kernel: {found.What}.", $"{found.Remedy}, or name another function.");
        }
    }

    private void EnsureIsolated(PciFunction function, IReadOnlyCollection<PciAddress> ours)
    {
        IommuGroup? group = function.IommuGroup is { } number ? bus.TryReadGroup(number) : null;
        if (group is null or { IsNoIommu: true })
        {
            // VFIO's mode without an IOMMU is not offered (docs/decisions/0028): what is protected is memory, all of it.
            throw new ArrakisException(
                ErrorCode.NoIommu,
                $"No IOMMU stands between {function.Address} and memory: a process that has it could read and write all of the machine's memory.",
                "Switch the IOMMU on in the firmware and boot with intel_iommu=on or amd_iommu=on.");
        }

        PciFunction[] foreign = [.. group.ForeignMembers([.. ours, function.Address])];
        if (foreign is not [] || group.OtherDevices.Count > 0)
        {
            string members = string.Join(", ", foreign.Select(static member => $"{member.Address} (driver {member.Driver})").Concat(group.OtherDevices));
            throw new ArrakisException(
                ErrorCode.ForeignGroup,
                $"{function.Address} shares IOMMU group {group.Number} with {members}, which the IOMMU cannot tell from it.",
                "Unbind these from their drivers, or move the card to a slot whose bridges isolate it (ACS).");
        }
    }
}
