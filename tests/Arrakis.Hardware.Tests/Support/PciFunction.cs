using System.Globalization;
using Arrakis.TestBed.Machine;

namespace Arrakis.Hardware.Tests.Support;

/// <summary>A PCI function, as the kernel shows it (Documentation/ABI/testing/sysfs-bus-pci). Not the product's reader: what that says is compared with this.</summary>
/// <param name="Address">Domain, bus, device and function, such as 0000:01:00.0.</param>
internal sealed record PciFunction(string Address)
{
    private const string Devices = "/sys/bus/pci/devices";
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(20);

    /// <summary>Its folder in sysfs.</summary>
    public string Folder => Path.Combine(Devices, Address);

    /// <summary>Whether the kernel has it.</summary>
    public bool Exists => Directory.Exists(Folder);

    /// <summary>Vendor and device as lspci writes them, such as 8086:10c9.</summary>
    public string Identity => $"{Read("vendor")[2..]}:{Read("device")[2..]}";

    /// <summary>The driver that has it, or null.</summary>
    public string? Driver => LinkName("driver");

    /// <summary>Its IOMMU group, or null where there is no IOMMU.</summary>
    public int? IommuGroup => LinkName("iommu_group") is { } name ? int.Parse(name, CultureInfo.InvariantCulture) : null;

    /// <summary>The kernel's network interface on it.</summary>
    public string NetworkInterface => Path.GetFileName(Assert.Single(Directory.GetDirectories(Path.Combine(Folder, "net"))));

    /// <summary>The PF of a VF, or null.</summary>
    public PciFunction? PhysicalFunction => LinkName("physfn") is { } name ? new PciFunction(name) : null;

    /// <summary>VFs of a PF that there are now, in their order.</summary>
    public IReadOnlyList<PciFunction> VirtualFunctions =>
        [.. Enumerable.Range(0, Number("sriov_numvfs")).Select(index => new PciFunction(LinkName($"virtfn{index}")!))];

    /// <summary>An attribute's text.</summary>
    public string Read(string attribute) => File.ReadAllText(Path.Combine(Folder, attribute)).Trim();

    /// <summary>An attribute that is a decimal number.</summary>
    public int Number(string attribute) => int.Parse(Read(attribute), CultureInfo.InvariantCulture);

    /// <summary>Writes an attribute.</summary>
    /// <exception cref="IOException">The kernel refused the value.</exception>
    public void Write(string attribute, string value) => WriteFile(Path.Combine(Folder, attribute), value);

    /// <summary>Takes it from the driver that has it, if any, and gives it to another.</summary>
    /// <exception cref="IOException">The driver does not take it.</exception>
    public void BindTo(string driver)
    {
        Unbind();
        Write("driver_override", driver);
        WriteFile("/sys/bus/pci/drivers_probe", Address);
        Assert.Equal(driver, Driver);
    }

    /// <summary>Takes it from its driver, if any, and leaves it to whatever driver the kernel prefers.</summary>
    public void GiveBack()
    {
        Unbind();
        Write("driver_override", "\n");
        WriteFile("/sys/bus/pci/drivers_probe", Address);
    }

    /// <summary>Sets the kernel's network interface on it up, and waits for its link.</summary>
    public async Task LinkUpAsync()
    {
        string link = NetworkInterface;
        await Command.RunAsync("ip", ["link", "set", link, "up"], TestContext.Current.CancellationToken);
        long start = TimeProvider.System.GetTimestamp();
        while (Read($"net/{link}/carrier") != "1")
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < s_patience, $"{link} has no link.");
            await Task.Delay(s_pause, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>Has the kernel look for it again after it was removed, and waits for its network interface.</summary>
    public async Task ComeBackAsync()
    {
        WriteFile("/sys/bus/pci/rescan", "1");
        long start = TimeProvider.System.GetTimestamp();
        while (!Directory.Exists(Path.Combine(Folder, "net")))
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < s_patience, $"{Address} does not come back.");
            await Task.Delay(s_pause, TestContext.Current.CancellationToken);
        }
    }

    /// <inheritdoc/>
    public override string ToString() => Address;

    private void Unbind()
    {
        if (Driver is not null)
        {
            Write("driver/unbind", Address);
        }
    }

    private string? LinkName(string link) => Path.GetFileName(new FileInfo(Path.Combine(Folder, link)).LinkTarget);

    // An attribute takes its whole value in one write, and is not to be truncated or created.
    private static void WriteFile(string path, string value)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        file.Write(System.Text.Encoding.ASCII.GetBytes(value));
    }
}
