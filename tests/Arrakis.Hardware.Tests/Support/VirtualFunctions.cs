using System.Globalization;

namespace Arrakis.Hardware.Tests.Support;

/// <summary>VFs that a test makes through sysfs; they are gone after it. No driver takes them by itself.</summary>
internal sealed class VirtualFunctions : IDisposable
{
    private readonly PciFunction _physical;

    private VirtualFunctions(PciFunction physical) => _physical = physical;

    /// <summary>Makes them.</summary>
    public static VirtualFunctions Make(PciFunction physical, int count)
    {
        physical.Write("sriov_drivers_autoprobe", "0");
        physical.Write("sriov_numvfs", count.ToString(CultureInfo.InvariantCulture));
        return new VirtualFunctions(physical);
    }

    /// <summary>One of them.</summary>
    public PciFunction this[int index] => All[index];

    /// <summary>All of them, in their order.</summary>
    public IReadOnlyList<PciFunction> All => _physical.VirtualFunctions;

    /// <inheritdoc/>
    public void Dispose()
    {
        _physical.Write("sriov_numvfs", "0");
        _physical.Write("sriov_drivers_autoprobe", "1");
    }
}
