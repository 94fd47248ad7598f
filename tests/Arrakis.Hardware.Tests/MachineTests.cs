using Arrakis.Hardware.Tests.Support;
using Arrakis.TestBed.Machine;

namespace Arrakis.Hardware.Tests;

/// <summary>The machine is the one that the other tests count on.</summary>
public sealed class MachineTests
{
    [Fact]
    public void Each_device_is_where_the_machines_description_says()
    {
        Assert.Equal(("8086:10c9", "igb"), (LabMachine.Igb.Identity, LabMachine.Igb.Driver));
        Assert.Equal(("1b36:0010", "nvme"), (LabMachine.Nvme.Identity, LabMachine.Nvme.Driver));
        Assert.Equal(("1b36:0010", "nvme"), (LabMachine.PlainNvme.Identity, LabMachine.PlainNvme.Driver));
        Assert.Equal(("1af4:1041", "virtio-pci"), (LabMachine.VirtioNet.Identity, LabMachine.VirtioNet.Driver));
        Assert.Equal((7, 4), (LabMachine.Igb.Number("sriov_totalvfs"), LabMachine.Nvme.Number("sriov_totalvfs")));
        Assert.False(File.Exists(Path.Combine(LabMachine.PlainNvme.Folder, "sriov_totalvfs")));
    }

    [Fact]
    public async Task The_iommu_translates_and_each_device_has_a_group_of_its_own()
    {
        Assert.Contains("DMAR: Intel(R) Virtualization Technology for Directed I/O", await Command.ReadAsync("dmesg", [], TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.NotEmpty(Directory.GetDirectories("/sys/class/iommu", "dmar*"));
        Assert.All(LabMachine.Functions, static function =>
        {
            string group = $"/sys/kernel/iommu_groups/{function.IommuGroup}";
            Assert.Equal([function.Address], Directory.GetFileSystemEntries(Path.Combine(group, "devices")).Select(Path.GetFileName));
            Assert.Equal("DMA", File.ReadAllText(Path.Combine(group, "type")).Trim());
        });
    }

    [Fact]
    public void Both_interfaces_of_vfio_are_there()
    {
        Assert.All(["/dev/vfio/vfio", "/dev/iommu"], static path => Assert.True(File.Exists(path), path));
        Assert.True(Directory.Exists("/sys/bus/pci/drivers/vfio-pci"));
    }

    [Fact]
    public void A_device_goes_to_vfio_which_offers_its_group_and_the_device_itself_and_comes_back()
    {
        PciFunction function = LabMachine.VirtioNet;
        function.BindTo("vfio-pci");
        try
        {
            Assert.True(File.Exists($"/dev/vfio/{function.IommuGroup}"));
            string name = Path.GetFileName(Assert.Single(Directory.GetDirectories(Path.Combine(function.Folder, "vfio-dev"))));
            Assert.True(File.Exists($"/dev/vfio/devices/{name}"));
        }
        finally
        {
            function.GiveBack();
        }

        Assert.Equal("virtio-pci", function.Driver);
    }

    [Fact]
    public void There_are_users_and_hugepages()
    {
        Assert.Equal(LabMachine.HugePages, Native.Memory.HugePages.Total);
        string users = File.ReadAllText("/etc/passwd");
        Assert.All([LabMachine.FirstUser, LabMachine.SecondUser], user => Assert.Contains($":x:{user}:{user}:", users, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_kernels_log_can_be_read_from_a_moment_on()
    {
        KernelLog.Write("arrakis: before");
        var log = KernelLog.FromNow();
        KernelLog.Write("arrakis: after");
        string text = await log.ReadAsync();
        Assert.DoesNotContain("arrakis: before", text, StringComparison.Ordinal);
        Assert.Contains("arrakis: after", text, StringComparison.Ordinal);
    }
}
