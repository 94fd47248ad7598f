using Arrakis.ControlPlane.Devices.Pci;
using Arrakis.TestBed.Machine;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Arrakis.ControlPlane.Tests.Devices.Pci;

/// <summary>The daemon's part that changes functions, over a made-up tree. A second one over the same tree is the daemon after a crash.</summary>
internal sealed class PciDaemon
{
    internal PciDaemon(PciTree tree, string bootId = "boot-1", Func<string, bool>? isClaimed = null)
    {
        Log = PciChangeLog.Open(tree.Runtime, bootId, NullLogger.Instance);
        Checks = new BindChecks(tree, new KernelUse(new DiskUse(tree, tree.Proc, isClaimed ?? (static _ => false)), new NetworkUse(tree, tree.Proc)));
        var work = new FunctionWork(Time, NullLogger.Instance);
        Drivers = new DriverBinding(tree, Log, work, NullLogger<DriverBinding>.Instance);
        Sriov = new SriovFunctions(tree, Log, Checks, work, NullLogger<SriovFunctions>.Instance);
    }

    internal FakeTimeProvider Time { get; } = new();

    internal PciChangeLog Log { get; }

    internal BindChecks Checks { get; }

    internal DriverBinding Drivers { get; }

    internal SriovFunctions Sriov { get; }

    /// <summary>The record's file.</summary>
    internal static string RecordOf(PciTree tree) => Path.Combine(tree.Runtime, "pci-changes.json");
}
