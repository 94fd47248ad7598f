namespace Arrakis.SoftDevice.Switch;

/// <summary>Why a frame was dropped. What is wrong with a frame is counted at the port that sent it, what is wrong with the delivery at the port that should have had it.</summary>
internal enum DropReason
{
    /// <summary>Not dropped.</summary>
    None,

    /// <summary>Shorter than an Ethernet header.</summary>
    FrameTooShort,

    /// <summary>Longer than the port's MTU allows.</summary>
    FrameTooLong,

    /// <summary>A frame whose checksum or segments are left to the device, and whose own headers do not fit what is asked; or which was not negotiated.</summary>
    OffloadInvalid,

    /// <summary>An IPv4 or ARP header that is cut off or makes no sense, so that its sender cannot be told.</summary>
    Malformed,

    /// <summary>An IEEE 802.1Q or 802.1ad tag.</summary>
    VlanTagged,

    /// <summary>A virtual function sent neither IPv4 nor ARP: no address of another protocol is granted.</summary>
    EtherTypeNotGranted,

    /// <summary>A virtual function used a source MAC that is not its own.</summary>
    SourceMacForeign,

    /// <summary>A virtual function used an IPv4 source or ARP sender that is not its own.</summary>
    SourceAddressForeign,

    /// <summary>The uplink or tester used the MAC of a virtual function.</summary>
    GrantedMacClaimed,

    /// <summary>The uplink or tester used the IPv4 address of a virtual function as source or ARP sender.</summary>
    GrantedAddressClaimed,

    /// <summary>The port's filter has no rule that lets it send this.</summary>
    FilterSend,

    /// <summary>The port's filter has no rule that lets it receive this.</summary>
    FilterReceive,

    /// <summary>No port has the destination.</summary>
    NoDestination,

    /// <summary>No front end, or its receive ring is not running.</summary>
    LinkDown,

    /// <summary>The application has not given enough receive buffers.</summary>
    ReceiveRingFull,

    /// <summary>The next receive buffer is too small.</summary>
    ReceiveBufferTooSmall,

    /// <summary>The kernel did not take the frame.</summary>
    UplinkRefused,

    /// <summary>Nothing that the tester waits for.</summary>
    NotExpected,
}

/// <summary>Names of the reasons in counters.</summary>
internal static class DropReasons
{
    /// <summary>How many there are, <see cref="DropReason.None"/> included.</summary>
    public static int Count { get; } = Enum.GetValues<DropReason>().Length;

    /// <summary>Lower case with hyphens.</summary>
    public static string Name(DropReason reason) => reason switch
    {
        DropReason.FrameTooShort => "frame-too-short",
        DropReason.FrameTooLong => "frame-too-long",
        DropReason.OffloadInvalid => "offload-invalid",
        DropReason.Malformed => "malformed",
        DropReason.VlanTagged => "vlan-tagged",
        DropReason.EtherTypeNotGranted => "ether-type-not-granted",
        DropReason.SourceMacForeign => "source-mac-foreign",
        DropReason.SourceAddressForeign => "source-address-foreign",
        DropReason.GrantedMacClaimed => "granted-mac-claimed",
        DropReason.GrantedAddressClaimed => "granted-address-claimed",
        DropReason.FilterSend => "filter-send",
        DropReason.FilterReceive => "filter-receive",
        DropReason.NoDestination => "no-destination",
        DropReason.LinkDown => "link-down",
        DropReason.ReceiveRingFull => "receive-ring-full",
        DropReason.ReceiveBufferTooSmall => "receive-buffer-too-small",
        DropReason.UplinkRefused => "uplink-refused",
        DropReason.NotExpected => "not-expected",
        _ => throw new ArgumentOutOfRangeException(nameof(reason), reason, null),
    };
}
