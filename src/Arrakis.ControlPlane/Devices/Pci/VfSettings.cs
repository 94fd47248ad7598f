using Arrakis.Wire;

namespace Arrakis.ControlPlane.Devices.Pci;

/// <summary>What a physical function is to enforce on one of its virtual functions; null leaves a setting as it is.</summary>
internal sealed record VfSettings
{
    /// <summary>Largest VLAN number; 4095 is reserved (IEEE 802.1Q).</summary>
    internal const int MaxVlan = 4094;

    /// <summary>Largest priority of a VLAN tag.</summary>
    internal const int MaxVlanPriority = 7;

    /// <summary>Its hardware address.</summary>
    public MacAddress? Mac { get; init; }

    /// <summary>The VLAN that its frames are put into, 1 to 4094; 0 for none.</summary>
    public int? Vlan { get; init; }

    /// <summary>The priority in that VLAN's tag, 0 to 7.</summary>
    public int VlanPriority { get; init; }

    /// <summary>Whether frames with another source address are dropped.</summary>
    public bool? SpoofCheck { get; init; }

    /// <summary>Whether it may ask for more, such as promiscuous mode.</summary>
    public bool? Trusted { get; init; }

    /// <summary>Sending rate that it has for sure, in Mbit/s; 0 for none. Few drivers have it.</summary>
    public int? MinRateMegabits { get; init; }

    /// <summary>Sending rate that it may not pass, in Mbit/s; 0 for no limit.</summary>
    public int? MaxRateMegabits { get; init; }
}
