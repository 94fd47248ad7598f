using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Arrakis.Ctl.Doctor;
using Arrakis.Native.Pci;
using Arrakis.TestBed.Machine;

namespace Arrakis.Ctl.Tests;

public sealed class DoctorTests : IDisposable
{
    private const string AllOptions = "CONFIG_MEMFD_CREATE=y\nCONFIG_EPOLL=y\nCONFIG_EVENTFD=y\nCONFIG_MEMBARRIER=y\nCONFIG_PCI_IOV=y\nCONFIG_IOMMU_SUPPORT=y\nCONFIG_VFIO=m\nCONFIG_VFIO_PCI=m\nCONFIG_VFIO_IOMMU_TYPE1=m\nCONFIG_VFIO_DEVICE_CDEV=y\n";
    private const string Unit = "[Service]\nLimitNOFILE=65536\n# LimitMEMLOCK=1\nLimitMEMLOCK=infinity\n";
    private readonly PciTree _tree = new();

    public void Dispose() => _tree.Dispose();

    [Fact]
    public async Task A_machine_with_IOMMU_and_SR_IOV_is_well()
    {
        MakeLab();
        Run run = await RunAsync();

        Assert.Equal(0, run.Code);
        Assert.All(
            [
                "Linux 6.12.1-lab.",
                "All that are needed are there.",
                "isolcpus=2,3, nohz_full=2,3, rcu_nocbs=2,3.",
                "128 pages of 2 MiB, 100 free.",
                "LimitMEMLOCK=infinity, LimitNOFILE=65536.",
                "0000:01:00.0 (8086:10c9, driver igb, eth0, NUMA node 1): 2 of 7 virtual functions (driver igbvf).",
                "3 groups (Intel, ACPI table DMAR).",
                "vfio-pci is there; arrakisd uses the interface cdev with iommufd (/dev/iommu).",
                "Up to 65535 in each container (dma_entry_limit).",
            ],
            line => Assert.Contains(line, run.Output, StringComparison.Ordinal));
        Assert.All(run.Output.Split('\n').Skip(1), static line => Assert.Matches(@"^\S+( \S+)*\s+ok\s", line));
    }

    [Fact]
    public async Task A_guest_with_SR_IOV_and_no_IOMMU_has_a_problem_and_its_own_exit_code()
    {
        MakeLab();
        RemoveIommu();
        _tree.WriteProc("cpuinfo", "processor\t: 0\nflags\t\t: fpu vme hypervisor lahf_lm\n");
        Run run = await RunAsync();

        Assert.Equal(7, run.Code);
        Assert.Contains("None: this is a virtual machine that was given none.", run.Output, StringComparison.Ordinal);
        Assert.Contains("-device intel-iommu,intremap=on", run.Output, StringComparison.Ordinal);
        Assert.Single(run.Output.Split('\n'), static line => line.Contains("PROBLEM", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_plain_machine_has_no_problem_and_hears_what_hardware_would_need()
    {
        MakePlain();
        Run run = await RunAsync("--json");
        JsonElement report = JsonDocument.Parse(run.Output).RootElement;

        Assert.Equal(0, run.Code);
        Assert.True(report.GetProperty("usable").GetBoolean());
        Assert.All(report.GetProperty("findings").EnumerateArray(), static finding => Assert.NotEqual("Problem", finding.GetProperty("severity").GetString()));
        JsonElement iommu = report.GetProperty("findings").EnumerateArray().Single(static finding => finding.GetProperty("check").GetString() == "IOMMU");
        Assert.Equal("Note", iommu.GetProperty("severity").GetString());
        Assert.Equal("None: neither an ACPI table DMAR nor IVRS.", iommu.GetProperty("seen").GetString());
        Assert.StartsWith("Nothing, as long as bindings are of software devices. For hardware: Switch VT-d", iommu.GetProperty("remedy").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("5.10.0-30-amd64", "Ok")]
    [InlineData("6.18.44", "Ok")]
    [InlineData("5.4.0", "Problem")]
    [InlineData("4.19.0-rc1", "Problem")]
    [InlineData("unknown", "Note")]
    public void The_kernels_version(string release, string expected)
    {
        MakePlain();
        _tree.WriteProc("sys/kernel/osrelease", release + "\n");

        Assert.Equal(expected, KernelCheck.Run(Look()).First().Severity.ToString());
    }

    [Theory]
    [InlineData("CONFIG_MEMFD_CREATE", false, "Problem")]
    [InlineData("CONFIG_VFIO_PCI", true, "Problem")]
    [InlineData("CONFIG_VFIO_PCI", false, "Note")]
    public void An_option_that_the_kernel_was_built_without(string option, bool hardware, string expected)
    {
        Make(hardware);
        WriteOptions(AllOptions.Replace(option + "=", "# ", StringComparison.Ordinal));
        Finding finding = Assert.Single(KernelCheck.Run(Look()), static finding => finding.Check == "kernel options");

        Assert.Equal(expected, finding.Severity.ToString());
        Assert.Contains(option, finding.Seen, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_are_read_from_boot_too_and_a_machine_without_any_is_noted()
    {
        MakePlain();
        Assert.Null(Look().KernelOptions);
        Assert.Equal(Severity.Note, KernelCheck.Run(Look()).Last().Severity);
        _tree.WriteFile("boot/config-6.12.1-lab", AllOptions);

        Assert.Equal("All that are needed are there.", KernelCheck.Run(Look()).Last().Seen);
    }

    [Theory]
    [InlineData("0-3", "Ok", "4 online.")]
    [InlineData("0,2-3", "Ok", "3 online.")]
    [InlineData("0-1", "Note", "2 online.")]
    [InlineData("nonsense", "Note", "does not say")]
    public void The_number_of_cores(string online, string expected, string seen)
    {
        _tree.PutSys("devices/system/cpu/online", online);
        Finding finding = Assert.Single(CoresCheck.Run(Look()));

        Assert.Equal(expected, finding.Severity.ToString());
        Assert.Contains(seen, finding.Seen, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("quiet", "", "Note", "isolcpus=")]
    [InlineData("isolcpus=2 nohz_full=2", "", "Note", "Boot with rcu_nocbs= for the same cores too.")]
    [InlineData("isolcpus=2 nohz_full=2 rcu_nocbs=2", "", "Ok", null)]
    [InlineData("quiet", "2-3", "Ok", null)]
    public void Isolated_cores(string commandLine, string partition, string expected, string? remedy)
    {
        _tree.WriteProc("cmdline", commandLine + "\n");
        _tree.PutSys("fs/cgroup/cpuset.cpus.isolated", partition);
        Finding finding = Assert.Single(IsolationCheck.Run(Look()));

        Assert.Equal(expected, finding.Severity.ToString());
        Assert.Equal(remedy is null, finding.Remedy is null);
        Assert.Contains(remedy ?? "", finding.Remedy ?? "", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("64", "10", "Ok", "64 pages of 2 MiB, 10 free (10 on node0, 0 on node1).")]
    [InlineData("64", "0", "Note", "64 pages of 2 MiB, 0 free (0 on node0, 0 on node1).")]
    [InlineData("0", "0", "Note", "None:")]
    [InlineData(null, null, "Note", "The kernel has no pages of 2 MiB")]
    public void The_pool_of_hugepages(string? total, string? free, string expected, string seen)
    {
        if (total is not null && free is not null)
        {
            WritePool(total, free);
            _tree.PutSys("devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages", free);
            _tree.PutSys("devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages", "0");
        }

        Finding finding = Assert.Single(HugePagesCheck.Run(Look()));
        Assert.Equal(expected, finding.Severity.ToString());
        Assert.StartsWith(seen, finding.Seen, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Unit, false, "Ok")]
    [InlineData("[Service]\nLimitNOFILE=65536\n", false, "Note")]
    [InlineData("[Service]\nLimitNOFILE=65536\n", true, "Problem")]
    [InlineData("[Service]\nLimitMEMLOCK=infinity\nLimitNOFILE=1024\n", true, "Note")]
    [InlineData(Unit + "ProtectKernelTunables=yes\n", true, "Problem")]
    [InlineData(Unit + "ProtectKernelTunables=yes\n", false, "Ok")]
    [InlineData(Unit + "DevicePolicy=closed\nDeviceAllow=/dev/net/tun rw\n", true, "Problem")]
    [InlineData(Unit + "DevicePolicy=closed\nDeviceAllow=/dev/net/tun rw\nDeviceAllow=char-vfio rw\n", true, "Ok")]
    [InlineData(null, true, "Note")]
    public void The_daemons_unit(string? unit, bool hardware, string expected)
    {
        Make(hardware);
        _tree.WriteFile("usr/lib/systemd/system/arrakisd.service", unit ?? "");
        if (unit is null)
        {
            File.Delete(Path.Combine(_tree.Folder, "usr/lib/systemd/system/arrakisd.service"));
        }

        Finding finding = Assert.Single(ServiceCheck.Run(Look()));
        Assert.Equal(expected, finding.Severity.ToString());
        Assert.Equal(expected == nameof(Severity.Ok), finding.Remedy is null);
    }

    [Fact]
    public void An_administrators_addition_to_the_unit_counts()
    {
        MakeLab();
        _tree.WriteFile("usr/lib/systemd/system/arrakisd.service", Unit + "ProtectKernelTunables=yes\n");
        _tree.WriteFile("etc/systemd/system/arrakisd.service.d/override.conf", "[Service]\nProtectKernelTunables=no\n");

        Assert.Equal(Severity.Ok, Assert.Single(ServiceCheck.Run(Look())).Severity);
    }

    [Fact]
    public void A_physical_function_without_driver_and_one_that_is_given_away_itself()
    {
        _tree.Add("0000:01:00.0", sriov: 7);
        _tree.Add("0000:02:00.0", driver: "vfio-pci", sriov: 7);

        Assert.Equal([Severity.Problem, Severity.Note], SriovCheck.Run(Look()).Select(static finding => finding.Severity));
    }

    [Fact]
    public void A_group_that_a_virtual_function_shares_with_others_is_a_problem_that_names_them()
    {
        MakeLab();
        _tree.Add("0000:09:00.0", driver: "ahci", group: 40);
        Finding finding = Assert.Single(SriovCheck.Run(Look()));

        Assert.Equal(Severity.Problem, finding.Severity);
        Assert.Contains("0000:01:10.0 shares IOMMU group 40 with 0000:09:00.0.", finding.Seen, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("DMAR", "quiet", "Add intel_iommu=on to the kernel's command line.")]
    [InlineData("IVRS", "quiet", "Add amd_iommu=on to the kernel's command line.")]
    [InlineData("DMAR", "intel_iommu=off quiet", "Remove intel_iommu=off from the kernel's command line.")]
    [InlineData("IVRS", "iommu=off", "Remove iommu=off from the kernel's command line.")]
    [InlineData(null, "quiet", "Switch VT-d (Intel) or AMD-Vi (AMD) on in the firmware, and add intel_iommu=on or amd_iommu=on to the kernel's command line.")]
    public void Why_there_is_no_IOMMU(string? table, string commandLine, string remedy)
    {
        MakeLab();
        RemoveIommu();
        _tree.WriteProc("cmdline", commandLine + "\n");
        if (table is not null)
        {
            _tree.PutSys($"firmware/acpi/tables/{table}", "");
        }

        Finding finding = Assert.Single(IommuCheck.Run(Look()));
        Assert.Equal((Severity.Problem, remedy), (finding.Severity, finding.Remedy));
    }

    [Fact]
    public void An_IOMMU_that_the_kernels_devices_pass_through_is_well_and_one_that_checks_no_interrupts_is_noted()
    {
        MakeLab();
        _tree.WriteProc("cmdline", "intel_iommu=on iommu=pt\n");
        _tree.PutSys("module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "Y");
        Finding[] findings = [.. IommuCheck.Run(Look())];

        Assert.Equal([Severity.Ok, Severity.Note], findings.Select(static finding => finding.Severity));
        Assert.Contains("iommu=pt", findings[0].Seen, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, true, true, "cdev with iommufd")]
    [InlineData(true, false, true, "cdev with iommufd")]
    [InlineData(false, true, true, "group and container")]
    [InlineData(true, true, false, "group and container")]
    [InlineData(false, false, true, "neither /dev/iommu nor /dev/vfio/vfio")]
    public void Which_interface_of_VFIO_is_used(bool iommufd, bool container, bool cdev, string seen)
    {
        MakeLab();
        WriteOptions(cdev ? AllOptions : AllOptions.Replace("CONFIG_VFIO_DEVICE_CDEV=y", "", StringComparison.Ordinal));
        SetDevice("dev/iommu", iommufd);
        SetDevice("dev/vfio/vfio", container);
        Finding finding = Assert.Single(VfioCheck.Run(Look()));

        Assert.Contains(seen, finding.Seen, StringComparison.Ordinal);
        Assert.Equal(iommufd || container ? Severity.Ok : Severity.Problem, finding.Severity);
    }

    [Theory]
    [InlineData(true, true, "Run 'modprobe vfio-pci', and name it in /etc/modules-load.d.")]
    [InlineData(false, false, "Install a kernel with CONFIG_VFIO_PCI, such as your distribution's.")]
    [InlineData(false, true, "Install the kernel's modules, and run 'modprobe vfio-pci'.")]
    public void Why_there_is_no_VFIO(bool module, bool option, string remedy)
    {
        MakeLab();
        _tree.RemoveDriver("vfio-pci");
        WriteOptions(option ? AllOptions : AllOptions.Replace("CONFIG_VFIO_PCI=m", "", StringComparison.Ordinal));
        if (module)
        {
            _tree.WriteFile("lib/modules/6.12.1-lab/modules.dep", "kernel/drivers/vfio/pci/vfio-pci.ko.xz: kernel/drivers/vfio/vfio.ko.xz\n");
        }

        Finding finding = Assert.Single(VfioCheck.Run(Look()));
        Assert.Equal((Severity.Problem, remedy), (finding.Severity, finding.Remedy));
    }

    [Fact]
    public void VFIO_without_an_IOMMU_is_noted()
    {
        MakeLab();
        _tree.PutSys("module/vfio/parameters/enable_unsafe_noiommu_mode", "Y");
        Finding finding = VfioCheck.Run(Look()).Last();

        Assert.Equal(("no-IOMMU mode", Severity.Note), (finding.Check, finding.Severity));
    }

    [Theory]
    [InlineData("65535", true, "Ok")]
    [InlineData("100", true, "Problem")]
    [InlineData("100", false, "Note")]
    public void The_limit_of_mappings(string limit, bool hardware, string expected)
    {
        Make(hardware);
        _tree.PutSys("module/vfio_iommu_type1/parameters/dma_entry_limit", limit);

        Assert.Equal(expected, Assert.Single(MappingsCheck.Run(Look())).Severity.ToString());
    }

    [Fact]
    public async Task This_machine_is_looked_at_without_a_daemon()
    {
        Run run = await Ctl.Tests.Run.OfAsync("doctor", "--socket", "/nowhere/control.sock");

        Assert.Contains(run.Code, (int[])[0, 7]);
        Assert.Contains($"Linux {File.ReadAllText("/proc/sys/kernel/osrelease").Trim()}.", run.Output, StringComparison.Ordinal);
        Assert.Equal(new PciBus().HasIommu, !run.Output.Split('\n').Single(static line => line.StartsWith("IOMMU", StringComparison.Ordinal)).Contains("None", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_sysfs_that_makes_no_sense_is_an_error_that_names_the_file()
    {
        _tree.Put(_tree.Add("0000:01:00.0"), "vendor", "nobody");
        Run run = await RunAsync();

        Assert.Equal(1, run.Code);
        Assert.Contains("0000:01:00.0/vendor holds 'nobody'", run.Error, StringComparison.Ordinal);
    }

    private Task<Run> RunAsync(params string[] arguments) => Ctl.Tests.Run.OfAsync(["doctor", "--root", _tree.Folder, .. arguments]);

    private Machine Look() => new(_tree.Folder);

    private void Make(bool hardware)
    {
        if (hardware)
        {
            MakeLab();
        }
        else
        {
            MakePlain();
        }
    }

    private void MakePlain()
    {
        _tree.RemoveDriver("vfio-pci");
        _tree.Add("0000:00:03.0", "1af4:1041", driver: "virtio-pci");
        _tree.WriteProc("sys/kernel/osrelease", "6.12.1-lab\n");
        _tree.WriteProc("cmdline", "quiet\n");
        _tree.WriteProc("cpuinfo", "flags\t\t: fpu vme\n");
    }

    private void MakeLab()
    {
        PciAddress nic = _tree.Add("0000:01:00.0", driver: "igb", group: 7, sriov: 7);
        _tree.AddDriver("igbvf");
        _tree.AddInterface(nic, "eth0");
        _tree.Put(nic, "numa_node", "1");
        _tree.Write(nic, "sriov_numvfs", "2");
        _tree.WriteProc("sys/kernel/osrelease", "6.12.1-lab\n");
        _tree.WriteProc("cmdline", "quiet intel_iommu=on isolcpus=2,3 nohz_full=2,3 rcu_nocbs=2,3\n");
        _tree.WriteProc("cpuinfo", "flags\t\t: fpu vme\n");
        WriteOptions(AllOptions);
        _tree.PutSys("devices/system/cpu/online", "0-3");
        WritePool("128", "100");
        _tree.PutSys("firmware/acpi/tables/DMAR", "");
        _tree.PutSys("module/vfio_iommu_type1/parameters/dma_entry_limit", "65535");
        _tree.WriteFile("usr/lib/systemd/system/arrakisd.service", Unit);
        SetDevice("dev/iommu", there: true);
        SetDevice("dev/vfio/vfio", there: true);
    }

    private void RemoveIommu()
    {
        File.Delete(Path.Combine(_tree.Root, "firmware/acpi/tables/DMAR"));
        foreach (PciFunction function in _tree.Functions())
        {
            File.Delete(Path.Combine(_tree.PathOf(function.Address), "iommu_group"));
        }

        Directory.Delete(Path.Combine(_tree.Root, "kernel/iommu_groups"), recursive: true);
    }

    private void WritePool(string total, string free)
    {
        _tree.PutSys("kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", total);
        _tree.PutSys("kernel/mm/hugepages/hugepages-2048kB/free_hugepages", free);
    }

    private void WriteOptions(string text)
    {
        _tree.WriteProc("config.gz", "");
        using FileStream file = File.Create(Path.Combine(_tree.Proc, "config.gz"));
        using var packed = new GZipStream(file, CompressionLevel.Fastest);
        packed.Write(Encoding.ASCII.GetBytes($"# made up\n{text}"));
    }

    private void SetDevice(string path, bool there)
    {
        _tree.WriteFile(path, "");
        if (!there)
        {
            File.Delete(Path.Combine(_tree.Folder, path));
        }
    }
}
