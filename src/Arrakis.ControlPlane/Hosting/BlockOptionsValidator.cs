using System.Numerics;
using Arrakis.ControlPlane.Areas;
using Arrakis.Native.Pci;

namespace Arrakis.ControlPlane.Hosting;

/// <summary>Refuses block devices that cannot work; names each fault.</summary>
internal static class BlockOptionsValidator
{
    private const int SoftFunctionsMax = 64;
    private const int DisksMax = 256;
    private const int PciFunctionsMax = 256;

    /// <summary>Checks what of a device has to do with blocks.</summary>
    /// <param name="faults">Gets the faults.</param>
    /// <param name="place">The device's place in the file.</param>
    /// <param name="device">The device.</param>
    /// <param name="names">Names of devices so far.</param>
    /// <param name="areas">Names of areas so far.</param>
    internal static void Check(List<string> faults, string place, DeviceOptions device, HashSet<string> names, HashSet<string> areas)
    {
        switch (device)
        {
            case SoftDeviceOptions { Blocks: { } blocks } soft:
                CheckSoft(faults, $"{place}.blocks", soft, blocks, names);
                break;
            case VhostUserBlockDeviceOptions disks:
                CheckDisks(faults, place, disks, areas);
                break;
            case NvmeDeviceOptions nvme:
                CheckNvme(faults, place, nvme);
                break;
        }
    }

    private static void CheckSoft(List<string> faults, string place, SoftDeviceOptions soft, SoftBlockOptions blocks, HashSet<string> names)
    {
        if (!Path.IsPathFullyQualified(blocks.File))
        {
            faults.Add($"{place}.file '{blocks.File}' is not an absolute path.");
        }

        if (blocks.BlockSize is < 512 or > 65536 || !BitOperations.IsPow2(blocks.BlockSize))
        {
            faults.Add($"{place}.blockSize is {blocks.BlockSize}; write a power of two from 512 to 65536.");
        }

        if (blocks.Functions is < 1 or > SoftFunctionsMax)
        {
            faults.Add($"{place}.functions is {blocks.Functions}; write 1 to {SoftFunctionsMax}.");
        }

        if (!names.Add(soft.Name + SoftBlockDeviceOptions.NameSuffix))
        {
            faults.Add($"{place}: its device is called '{soft.Name}{SoftBlockDeviceOptions.NameSuffix}', and another is called so already.");
        }
    }

    private static void CheckDisks(List<string> faults, string place, VhostUserBlockDeviceOptions device, HashSet<string> areas)
    {
        if (device.Disks.Count is 0 or > DisksMax)
        {
            faults.Add($"{place}.disks has {device.Disks.Count} entries; write 1 to {DisksMax}.");
        }

        for (int i = 0; i < device.Disks.Count; i++)
        {
            if (device.Disks[i] is not { } disk)
            {
                faults.Add($"{place}.disks[{i}] is null; write an object.");
                continue;
            }

            DaemonOptionsValidator.CheckPath(faults, $"{place}.disks[{i}].socket", disk.Socket, allowAbstract: true);
            if (!AreaName.IsValid(disk.Area))
            {
                faults.Add($"{place}.disks[{i}].area '{disk.Area}' is no storage area's name; use 1 to {AreaName.MaxLength} of the letters a-z, 0-9, '-', '_' and '.', the first no '.'.");
            }
            else if (!areas.Add(disk.Area))
            {
                faults.Add($"{place}.disks[{i}].area '{disk.Area}' is there twice; names are unique.");
            }
        }
    }

    private static void CheckNvme(List<string> faults, string place, NvmeDeviceOptions nvme)
    {
        if (nvme.Function is null == nvme.PhysicalFunction is null)
        {
            faults.Add($"{place}: write either function, a whole controller's PCI address, or physicalFunction, whose virtual functions are used.");
        }
        else if (!PciAddress.TryParse(nvme.Function ?? nvme.PhysicalFunction, out _))
        {
            faults.Add($"{place}: '{nvme.Function ?? nvme.PhysicalFunction}' is no PCI address; write one such as 0000:01:00.0.");
        }

        if (nvme.Functions is < 1 or > PciFunctionsMax)
        {
            faults.Add($"{place}.functions is {nvme.Functions}; write 1 to {PciFunctionsMax}.");
        }

        if (nvme.Namespace is 0 or uint.MaxValue)
        {
            faults.Add($"{place}.namespace is {nvme.Namespace}; write a namespace's number, from 1.");
        }
    }
}
