using System.Diagnostics;
using Arrakis.Contract;
using Arrakis.ControlPlane.Devices.Pci;
using Arrakis.Hardware.Tests.Support;
using Arrakis.Native.Pci;

namespace Arrakis.Hardware.Tests;

/// <summary>What the daemon and the doctor say of a machine that nothing keeps devices in bounds on.</summary>
[Trait(LabMachine.Trait, LabMachine.WithoutIommu)]
public sealed class PciControlWithoutIommuTests
{
    [Fact]
    public void A_function_is_refused_and_the_remedy_is_the_IOMMU()
    {
        var bus = new PciBus();
        var checks = new BindChecks(bus, new KernelUse(new DiskUse(bus), new NetworkUse(bus)));
        PciAddress address = PciAddress.Parse(LabMachine.VirtioNet.Address);
        ArrakisException fault = Assert.Throws<ArrakisException>(() => checks.EnsureBindable(address, []));
        Assert.Equal(ErrorCode.NoIommu, fault.Code);
        Assert.Contains("intel_iommu=on", fault.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_doctor_finds_hardware_that_cannot_be_used()
    {
        using Process doctor = Process.Start(new ProcessStartInfo("setsid", ["--wait", "arrakisctl", "doctor"]) { RedirectStandardOutput = true })!;
        string report = await doctor.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await doctor.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.Equal(7, doctor.ExitCode);
        string line = Assert.Single(report.Split('\n'), static line => line.Contains("PROBLEM", StringComparison.Ordinal));
        Assert.StartsWith("IOMMU", line, StringComparison.Ordinal);
        Assert.Contains("this is a virtual machine that was given none", line, StringComparison.Ordinal);
        Assert.Contains("0000:01:00.0 (8086:10c9, driver igb", report, StringComparison.Ordinal);
    }
}
