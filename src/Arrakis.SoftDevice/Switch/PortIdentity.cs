using Arrakis.Wire;
using Arrakis.Wire.Frames;

namespace Arrakis.SoftDevice.Switch;

/// <summary>What a virtual function was granted: who it is on the network, and what it may send and receive.</summary>
internal sealed record PortIdentity(MacAddress Mac, Ipv4Address Address, FrameFilter Filter)
{
    /// <summary>Whether the virtual function may send a frame: its own addresses only (anti-spoof), and what its filter says.</summary>
    public DropReason CheckSend(in FrameHeader frame)
    {
        if (frame.Source != Mac)
        {
            return DropReason.SourceMacForeign;
        }

        switch (frame.Type)
        {
            case EtherType.Ipv4 when frame.Sender != Address:
                return DropReason.SourceAddressForeign;
            case EtherType.Arp when frame.ArpSenderMac != Mac:
                return DropReason.SourceMacForeign;

            // A probe has no sender address yet (RFC 5227 §2.1.1), and so claims none.
            case EtherType.Arp when frame.Sender != Address && !(frame.Sender == Ipv4Address.Any && frame.ArpOperation == ArpOperation.Request):
                return DropReason.SourceAddressForeign;
            case EtherType.Ipv4 or EtherType.Arp:
                return Filter.MaySend(frame) ? DropReason.None : DropReason.FilterSend;
            default:
                return DropReason.EtherTypeNotGranted;
        }
    }

    /// <summary>Whether a frame of somebody else claims to be from this virtual function.</summary>
    public DropReason CheckClaim(in FrameHeader frame)
    {
        if (frame.Source == Mac)
        {
            return DropReason.GrantedMacClaimed;
        }

        return frame.Type switch
        {
            EtherType.Ipv4 when frame.Sender == Address => DropReason.GrantedAddressClaimed,
            EtherType.Arp when frame.ArpSenderMac == Mac => DropReason.GrantedMacClaimed,
            EtherType.Arp when frame.Sender == Address => DropReason.GrantedAddressClaimed,
            _ => DropReason.None,
        };
    }
}
