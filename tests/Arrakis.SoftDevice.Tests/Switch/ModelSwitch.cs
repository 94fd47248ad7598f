using Arrakis.SoftDevice.Ports.Tester;
using Arrakis.Wire;
using Arrakis.Wire.Frames;

namespace Arrakis.SoftDevice.Tests.Switch;

/// <summary>What a frame of the model carries.</summary>
internal enum ModelPayload
{
    Ipv4,
    Question,
    Answer,
    Ipv6,
    Tagged,
    CutShort,
    BrokenIpv4,
    BrokenArp,
}

/// <summary>A frame of the model, before it is bytes.</summary>
internal sealed record ModelFrame(MacAddress Destination, MacAddress Source, ModelPayload Payload, MacAddress ArpMac, Ipv4Address Sender, Ipv4Address Target)
{
    public bool IsArp => Payload is ModelPayload.Question or ModelPayload.Answer;

    public byte[] Bytes()
    {
        ArpOperation operation = Payload == ModelPayload.Answer ? ArpOperation.Reply : ArpOperation.Request;
        byte[] arp = Support.Frames.Arp(operation, Destination, Source, ArpMac, Sender, Target);
        byte[] ip = Support.Frames.Udp(Destination, Source, Sender, Target);
        switch (Payload)
        {
            case ModelPayload.Ipv4:
                return ip;
            case ModelPayload.Question or ModelPayload.Answer:
                return arp;
            case ModelPayload.Ipv6:
                return Support.Frames.OfType(Destination, Source, 0x86DD);
            case ModelPayload.Tagged:
                return Support.Frames.OfType(Destination, Source, 0x88A8);
            case ModelPayload.CutShort:
                return ip[..10];
            case ModelPayload.BrokenIpv4:
                ip[14] = 0x44; // a header of 16 bytes
                return ip;
            default:
                arp[21] = 9; // an operation that is not used
                return arp;
        }
    }
}

/// <summary>A switch that says in plain words who should get a frame, and slowly.</summary>
internal sealed class ModelSwitch(int functions)
{
    public const int Kernel = -1;

    private readonly (MacAddress Mac, Ipv4Address Address)?[] _identities = new (MacAddress, Ipv4Address)?[functions];

    public bool IsConfigured(int function) => _identities[function] is not null;

    public void Set(int function, (MacAddress Mac, Ipv4Address Address)? identity) => _identities[function] = identity;

    /// <summary>Who gets the frame; or why its sender loses it.</summary>
    public (string? Lost, HashSet<string> Receivers) Switch(int source, ModelFrame frame)
    {
        if (Refusal(source, frame) is { } reason)
        {
            return (reason, []);
        }

        HashSet<string> receivers = Receivers(source, frame);
        return receivers.Count == 0 ? ("no-destination", receivers) : (null, receivers);
    }

    private HashSet<string> Receivers(int source, ModelFrame frame)
    {
        HashSet<string> everyone = ["uplink", "tester", .. Functions(_ => true)];
        string own = source == Kernel ? "uplink" : $"vf{source}";
        if (frame.Destination.IsMulticast)
        {
            string? owner = Functions(identity => identity.Address == frame.Target).FirstOrDefault();
            return frame.Payload == ModelPayload.Question && owner is not null && owner != own ? [owner] : [.. everyone.Where(port => port != own)];
        }

        string station =
            Functions(identity => identity.Mac == frame.Destination).FirstOrDefault()
            ?? (frame.Destination == TesterPort.Mac ? "tester" : "uplink");
        return station == own ? [] : [station];
    }

    private string? Refusal(int source, ModelFrame frame)
    {
        switch (frame.Payload)
        {
            case ModelPayload.CutShort:
                return "frame-too-short";
            case ModelPayload.BrokenIpv4 or ModelPayload.BrokenArp:
                return "malformed";
            case ModelPayload.Tagged:
                return "vlan-tagged";
            default:
                return source == Kernel ? Claim(frame) : Spoof(_identities[source]!.Value, frame);
        }
    }

    private static string? Spoof((MacAddress Mac, Ipv4Address Address) identity, ModelFrame frame)
    {
        if (frame.Source != identity.Mac)
        {
            return "source-mac-foreign";
        }

        if (frame.Payload == ModelPayload.Ipv6)
        {
            return "ether-type-not-granted";
        }

        if (frame.IsArp && frame.ArpMac != identity.Mac)
        {
            return "source-mac-foreign";
        }

        bool isProbe = frame.Payload == ModelPayload.Question && frame.Sender == Ipv4Address.Any;
        return frame.Sender == identity.Address || isProbe ? null : "source-address-foreign";
    }

    private string? Claim(ModelFrame frame)
    {
        foreach ((MacAddress Mac, Ipv4Address Address)? identity in _identities)
        {
            if (identity is null)
            {
                continue;
            }

            if (frame.Source == identity.Value.Mac || (frame.IsArp && frame.ArpMac == identity.Value.Mac))
            {
                return "granted-mac-claimed";
            }

            if (frame.Payload != ModelPayload.Ipv6 && frame.Sender == identity.Value.Address)
            {
                return "granted-address-claimed";
            }
        }

        return null;
    }

    private IEnumerable<string> Functions(Func<(MacAddress Mac, Ipv4Address Address), bool> predicate) =>
        Enumerable.Range(0, functions).Where(index => _identities[index] is { } identity && predicate(identity)).Select(index => $"vf{index}");
}
