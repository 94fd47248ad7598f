using Arrakis.Native.Pci;
using Arrakis.Native.Storage;

namespace Arrakis.ControlPlane.Devices.Pci;

/// <summary>Finds whether a function's disks are in use: mounted, swapped to, or part of another disk (device mapper, RAID, loop).</summary>
/// <param name="bus">Where sysfs is.</param>
/// <param name="proc">Where proc is.</param>
/// <param name="isClaimed">Whether somebody has a block device, named as in /dev, for himself; null asks the kernel.</param>
internal sealed class DiskUse(PciBus bus, string proc = "/proc", Func<string, bool>? isClaimed = null)
{
    private const string DeviceFolder = "/dev/";
    private readonly Func<string, bool> _isClaimed = isClaimed ?? (static name => BlockDevice.IsClaimed(DeviceFolder + name));

    private string Blocks => Path.Combine(bus.Root, "class/block");

    /// <summary>The first use that is found; null for none.</summary>
    internal FoundUse? Find(PciFunction function)
    {
        HashSet<string> own = OwnDisks(function);
        if (own.Count == 0)
        {
            return null;
        }

        // From the function's disks on to what is made of them, each with the path that led there.
        Dictionary<string, string> paths = own.ToDictionary(static name => name, static name => name);
        Follow(paths);
        return FindMount(paths) ?? FindSwap(paths) ?? FindHolder(paths, own) ?? FindClaim(own);
    }

    private HashSet<string> OwnDisks(PciFunction function)
    {
        string folder = SysfsFile.TryResolve(bus.PathOf(function.Address)) ?? bus.PathOf(function.Address);
        HashSet<string> own = [.. DisksBelow(folder)];
        if (function.NvmeController is { } controller)
        {
            // With multipath a namespace belongs to the subsystem, and the controller is one of its paths.
            string subsystems = Path.Combine(bus.Root, "class/nvme-subsystem");
            foreach (string name in SysfsFile.Names(subsystems))
            {
                string subsystem = SysfsFile.TryResolve(Path.Combine(subsystems, name)) ?? Path.Combine(subsystems, name);
                if (Path.Exists(Path.Combine(subsystem, controller)))
                {
                    own.UnionWith(DisksBelow(subsystem));
                }
            }
        }

        return own;
    }

    /// <summary>Disks and partitions that sysfs shows below a folder.</summary>
    private IEnumerable<string> DisksBelow(string folder) =>
        SysfsFile.Names(Blocks).Where(name => SysfsFile.TryResolve(Path.Combine(Blocks, name))?.StartsWith(folder + "/", StringComparison.Ordinal) == true);

    private void Follow(Dictionary<string, string> paths)
    {
        var open = new Queue<string>(paths.Keys);
        while (open.TryDequeue(out string? name))
        {
            string folder = SysfsFile.TryResolve(Path.Combine(Blocks, name)) ?? Path.Combine(Blocks, name);
            foreach (string above in SysfsFile.Names(Path.Combine(Blocks, name, "holders")).Concat(LoopsOver(name)).Concat(DisksBelow(folder)))
            {
                if (paths.TryAdd(above, $"{paths[name]}, {above} on it"))
                {
                    open.Enqueue(above);
                }
            }
        }
    }

    private IEnumerable<string> LoopsOver(string disk) =>
        SysfsFile.Names(Blocks, "loop*").Where(loop => SysfsFile.TryReadText(Path.Combine(Blocks, loop, "loop/backing_file")) == DeviceFolder + disk);

    private FoundUse? FindMount(Dictionary<string, string> paths)
    {
        Dictionary<string, string> numbers = [];
        foreach (string name in paths.Keys)
        {
            if (SysfsFile.TryReadText(Path.Combine(Blocks, name, "dev")) is { } number)
            {
                numbers[number] = name;
            }
        }

        foreach (Mount mount in Mount.ReadAll(Path.Combine(proc, "self/mountinfo")))
        {
            // A file system over several disks (Btrfs) has a number of its own, but names one of them.
            string? name = numbers.GetValueOrDefault(mount.DeviceNumber)
                ?? (mount.Source.StartsWith(DeviceFolder, StringComparison.Ordinal) && paths.ContainsKey(mount.Source[DeviceFolder.Length..]) ? mount.Source[DeviceFolder.Length..] : null);
            if (name is not null)
            {
                return new FoundUse($"{paths[name]} is mounted at {mount.Point}", $"Unmount it (umount {mount.Point})");
            }
        }

        return null;
    }

    private FoundUse? FindSwap(Dictionary<string, string> paths)
    {
        string path = Path.Combine(proc, "swaps");
        if (!File.Exists(path))
        {
            return null; // A kernel without swap.
        }

        foreach (string line in File.ReadLines(path).Skip(1))
        {
            string area = line.Split([' ', '\t'], 2)[0];
            if (area.StartsWith(DeviceFolder, StringComparison.Ordinal) && paths.TryGetValue(area[DeviceFolder.Length..], out string? by))
            {
                return new FoundUse($"{by} is a swap area", $"Switch it off (swapoff {area})");
            }
        }

        return null;
    }

    private static FoundUse? FindHolder(Dictionary<string, string> paths, HashSet<string> own) =>
        paths.FirstOrDefault(entry => !own.Contains(entry.Key)) is { Key: { } above, Value: { } by }
            ? new FoundUse($"{by}", $"Take {above} apart (dmsetup, vgchange -an, mdadm --stop or losetup -d)")
            : null;

    private FoundUse? FindClaim(HashSet<string> own) =>
        own.FirstOrDefault(_isClaimed) is { } name
            ? new FoundUse($"{name} is claimed by a file system, a RAID or a program, perhaps in another mount namespace", "End that use")
            : null;
}
