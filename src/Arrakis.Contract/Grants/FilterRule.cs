using Arrakis.Wire;

namespace Arrakis.Contract;

/// <summary>Which frames a rule looks at, seen from the virtual function.</summary>
[Flags]
public enum FilterDirection
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>What it sends.</summary>
    Send = 1,

    /// <summary>What it receives.</summary>
    Receive = 2,

    /// <summary>Both.</summary>
    Both = Send | Receive,
}

/// <summary>A protocol that a rule names.</summary>
public enum FilterProtocol
{
    /// <summary>Any.</summary>
    Any,

    /// <summary>ARP.</summary>
    Arp,

    /// <summary>ICMP over IPv4.</summary>
    Icmp,

    /// <summary>UDP over IPv4.</summary>
    Udp,

    /// <summary>TCP over IPv4.</summary>
    Tcp,
}

/// <summary>
/// One predicate of a VNIC's filter. A frame passes when any rule of its direction matches; with no rules at all,
/// every frame passes (the anti-spoof check is apart from this and always holds).
/// </summary>
public sealed record FilterRule
{
    /// <summary>Directions in which the rule matches.</summary>
    public FilterDirection Direction { get; set; } = FilterDirection.Both;

    /// <summary>Protocol.</summary>
    public FilterProtocol Protocol { get; set; } = FilterProtocol.Any;

    /// <summary>The virtual function's own port (UDP and TCP), or any.</summary>
    public ushort? LocalPort { get; init; }

    /// <summary>The peer's port (UDP and TCP), or any.</summary>
    public ushort? RemotePort { get; init; }

    /// <summary>The peer's network (IPv4 and ARP), or any.</summary>
    public Ipv4Prefix? Remote { get; init; }
}
