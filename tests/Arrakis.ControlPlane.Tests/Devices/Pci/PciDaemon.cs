using Arrakis.ControlPlane.Devices.Pci;
using Arrakis.TestBed.Machine;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Arrakis.ControlPlane.Tests.Devices.Pci;

/// <summary>The daemon's part that changes functions, over a made-up tree. A second one over the same tree is the daemon after a crash.</summary>
internal sealed class PciDaemon
{
    private readonly PciParts _parts;

    internal PciDaemon(PciTree tree, string bootId = "boot-1", Func<string, bool>? isClaimed = null)
    {
        var use = new KernelUse(new DiskUse(tree, tree.Proc, isClaimed ?? (static _ => false)), new NetworkUse(tree, tree.Proc));
        _parts = new PciParts(tree, use, PciChangeLog.Open(tree.Runtime, bootId, NullLogger.Instance), Time, NullLoggerFactory.Instance);
    }

    internal FakeTimeProvider Time { get; } = new();

    internal PciChangeLog Log => _parts.Log;

    internal BindChecks Checks => _parts.Checks;

    internal DriverBinding Drivers => _parts.Drivers;

    internal SriovFunctions Sriov => _parts.Sriov;

    /// <summary>The record's file.</summary>
    internal static string RecordOf(PciTree tree) => Path.Combine(tree.Runtime, "pci-changes.json");
}
