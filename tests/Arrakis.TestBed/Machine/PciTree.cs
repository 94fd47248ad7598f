using System.Globalization;
using Arrakis.Native;
using Arrakis.Native.Pci;
using Tmds.Linux;

namespace Arrakis.TestBed.Machine;

/// <summary>
/// A made-up sysfs and proc in a folder of its own, with a kernel that does what is written to it: drivers are bound and
/// unbound, virtual functions come and go. Faults can be ordered.
/// </summary>
public sealed class PciTree : PciBus, IDisposable
{
    private const string Bridge = "devices/pci0000:00";
    private readonly string _folder;
    private readonly Dictionary<PciAddress, string> _idDrivers = [];

    public PciTree()
        : this(Directory.CreateTempSubdirectory("arrakis-pci-").FullName)
    {
    }

    private PciTree(string folder)
        : base(Path.Combine(folder, "sys"))
    {
        _folder = folder;
        foreach (string name in new[] { "bus/pci/devices", "bus/pci/drivers/vfio-pci", "kernel/iommu_groups", "class/block", "class/net", "class/nvme-subsystem" })
        {
            _ = Directory.CreateDirectory(Path.Combine(Root, name));
        }

        WriteProc("self/mountinfo", "22 1 0:21 / /proc rw,relatime - proc proc rw\n");
        WriteProc("swaps", "Filename\tType\tSize\tUsed\tPriority\n");
        WriteProc("net/route", "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n");
    }

    /// <summary>The root folder, below which sysfs and proc are.</summary>
    public string Folder => _folder;

    /// <summary>Where proc is.</summary>
    public string Proc => Path.Combine(_folder, "proc");

    /// <summary>A folder for a daemon.</summary>
    public string Runtime => Directory.CreateDirectory(Path.Combine(_folder, "run")).FullName;

    /// <summary>All writes, in their order.</summary>
    public List<string> Writes { get; } = [];

    /// <summary>Called before each write: throws, or blocks, or changes nothing.</summary>
    public Action<string> OnWrite { get; set; } = static _ => { };

    /// <summary>Attributes that the kernel takes and ignores.</summary>
    public HashSet<string> Ignored { get; } = [];

    public PciAddress Add(string address, string id = "8086:10c9", string type = "0x020000", string? driver = null, int? group = null, int? sriov = null)
    {
        PciAddress at = PciAddress.Parse(address);
        string folder = Path.Combine(Root, Bridge, address);
        _ = Directory.CreateDirectory(folder);
        Link(PathOf(at), folder);
        string[] ids = id.Split(':');
        Put(at, "vendor", "0x" + ids[0]);
        Put(at, "device", "0x" + ids[1]);
        Put(at, "class", type);
        Put(at, "numa_node", "-1");
        Put(at, "driver_override", "(null)");
        if (group is { } number)
        {
            JoinGroup(at, number);
        }

        if (sriov is { } total)
        {
            Put(at, "sriov_totalvfs", total.ToString(CultureInfo.InvariantCulture));
            Put(at, "sriov_numvfs", "0");
            Put(at, "sriov_drivers_autoprobe", "1");
        }

        if (driver is not null)
        {
            _idDrivers[at] = driver;
            AddDriver(driver);
            SetDriver(at, driver);
        }

        return at;
    }

    public void AddDriver(string name) => Directory.CreateDirectory(Path.Combine(Root, "bus/pci/drivers", name));

    public void RemoveDriver(string name) => Directory.Delete(Path.Combine(Root, "bus/pci/drivers", name));

    public void Remove(PciAddress address)
    {
        Directory.Delete(Path.Combine(Root, Bridge, address.ToString()), recursive: true);
        File.Delete(PathOf(address));
        foreach (string group in Directory.GetDirectories(Path.Combine(Root, "kernel/iommu_groups")))
        {
            File.Delete(Path.Combine(group, "devices", address.ToString()));
        }
    }

    public void Put(PciAddress address, string attribute, string value) => PutFile(Path.Combine(Root, Bridge, address.ToString(), attribute), value + "\n");

    public void PutSys(string path, string value) => PutFile(Path.Combine(Root, path), value + "\n");

    public void WriteFile(string path, string text) => PutFile(Path.Combine(_folder, path), text);

    public void WriteProc(string path, string text) => PutFile(Path.Combine(Proc, path), text);

    /// <summary>A disk or partition; <paramref name="place"/> is below the function's folder, or below sysfs where no function is given.</summary>
    public void AddDisk(PciAddress? address, string place, string number)
    {
        string name = Path.GetFileName(place);
        string folder = address is { } at ? Path.Combine(Root, Bridge, at.ToString(), place) : Path.Combine(Root, "devices", place);
        PutFile(Path.Combine(folder, "dev"), number + "\n");
        Link(Path.Combine(Root, "class/block", name), folder);
    }

    public void AddHolder(string disk, string holder)
    {
        string folder = Directory.CreateDirectory(Path.Combine(Root, "class/block", disk, "holders")).FullName;
        Link(Path.Combine(folder, holder), Path.Combine(Root, "class/block", holder));
    }

    public void AddInterface(PciAddress? address, string name)
    {
        string folder = address is { } at ? Path.Combine(Root, Bridge, at.ToString(), "net", name) : Path.Combine(Root, "devices/virtual/net", name);
        _ = Directory.CreateDirectory(folder);
        Link(Path.Combine(Root, "class/net", name), folder);
    }

    public void LinkInterface(string name, string link, string target) =>
        Link(Path.Combine(Root, "class/net", name, link), Path.Combine(Root, "class/net", target));

    public static void Link(string path, string target) => _ = File.CreateSymbolicLink(path, target);

    public override void Write(PciAddress address, string attribute, string value)
    {
        Announce($"{address} {attribute} {value}");
        if (Ignored.Contains(attribute))
        {
            return;
        }

        switch (attribute)
        {
            case "driver_override":
                Put(address, attribute, value.Length == 0 ? "(null)" : value);
                break;
            case "driver/unbind":
                SetDriver(address, null);
                break;
            case "sriov_drivers_autoprobe":
                Put(address, attribute, value);
                break;
            case "sriov_numvfs":
                SwitchFunctions(address, int.Parse(value, CultureInfo.InvariantCulture));
                break;
            default:
                throw new LinuxException($"open({attribute})", LibC.ENOENT);
        }
    }

    public override void Probe(PciAddress address)
    {
        Announce($"{address} probe");
        PciFunction function = Read(address);
        string? driver = function.DriverOverride ?? _idDrivers.GetValueOrDefault(address);
        if (!Ignored.Contains("probe") && function.Driver is null && driver is not null && HasDriver(driver))
        {
            SetDriver(address, driver);
        }
    }

    public override void Bind(PciAddress address, string driver)
    {
        Announce($"{address} bind {driver}");
        SetDriver(address, driver);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private void Announce(string write)
    {
        lock (Writes)
        {
            Writes.Add(write);
        }

        OnWrite(write);
    }

    private void SwitchFunctions(PciAddress physical, int count)
    {
        PciFunction now = Read(physical);
        if (count != 0 && now.SriovNumVfs != 0)
        {
            throw new LinuxException("write(sriov_numvfs)", LibC.EBUSY);
        }

        if (count > now.SriovTotalVfs)
        {
            throw new LinuxException("write(sriov_numvfs)", LibC.ERANGE);
        }

        for (int i = 0; i < now.VirtualFunctions.Count; i++)
        {
            File.Delete(Path.Combine(PathOf(physical), $"virtfn{i}"));
            Remove(now.VirtualFunctions[i]);
        }

        for (int i = 0; i < count; i++)
        {
            PciAddress address = Add(
                new PciAddress(physical.Domain, physical.Bus, (byte)(16 + (i / 4)), (byte)(i % 4 * 2)).ToString(),
                "8086:10ca",
                driver: now.SriovDriversAutoprobe == true ? "igbvf" : null,
                group: 40 + i);
            Link(Path.Combine(PathOf(address), "physfn"), Path.Combine(Root, Bridge, physical.ToString()));
            Link(Path.Combine(PathOf(physical), $"virtfn{i}"), Path.Combine(Root, Bridge, address.ToString()));
        }

        Put(physical, "sriov_numvfs", count.ToString(CultureInfo.InvariantCulture));
    }

    private void SetDriver(PciAddress address, string? driver)
    {
        string link = Path.Combine(PathOf(address), "driver");
        File.Delete(link);
        if (driver is not null)
        {
            Link(link, Path.Combine(Root, "bus/pci/drivers", driver));
        }
    }

    private void JoinGroup(PciAddress address, int number)
    {
        string group = Path.Combine(Root, "kernel/iommu_groups", number.ToString(CultureInfo.InvariantCulture));
        _ = Directory.CreateDirectory(Path.Combine(group, "devices"));
        Link(Path.Combine(PathOf(address), "iommu_group"), group);
        Link(Path.Combine(group, "devices", address.ToString()), Path.Combine(Root, Bridge, address.ToString()));
    }

    // As in sysfs, who reads meanwhile sees the old value or the new one, never an empty file.
    private static void PutFile(string path, string text)
    {
        _ = Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        string next = Path.GetTempFileName();
        File.WriteAllText(next, text);
        File.Move(next, path, overwrite: true);
    }
}
