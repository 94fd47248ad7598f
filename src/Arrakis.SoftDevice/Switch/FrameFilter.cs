using Arrakis.Contract;
using Arrakis.Wire;
using Arrakis.Wire.Frames;

namespace Arrakis.SoftDevice.Switch;

/// <summary>A virtual function's filter, split by direction once so that a frame meets only the rules of its own.</summary>
internal sealed class FrameFilter
{
    private readonly Predicate[] _send;
    private readonly Predicate[] _receive;
    private readonly bool _passesAll;

    /// <summary>Makes a filter; without a rule it lets everything pass.</summary>
    public FrameFilter(IReadOnlyList<FilterRule> rules)
    {
        _passesAll = rules.Count == 0;
        _send = Select(rules, FilterDirection.Send);
        _receive = Select(rules, FilterDirection.Receive);
    }

    /// <summary>Whether the virtual function may send a frame.</summary>
    public bool MaySend(in FrameHeader frame)
    {
        if (_passesAll)
        {
            return true;
        }

        foreach (ref readonly Predicate predicate in _send.AsSpan())
        {
            if (predicate.Matches(frame, frame.SourcePort, frame.DestinationPort, frame.Target))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether the virtual function may receive a frame.</summary>
    public bool MayReceive(in FrameHeader frame)
    {
        if (_passesAll)
        {
            return true;
        }

        foreach (ref readonly Predicate predicate in _receive.AsSpan())
        {
            if (predicate.Matches(frame, frame.DestinationPort, frame.SourcePort, frame.Sender))
            {
                return true;
            }
        }

        return false;
    }

    private static Predicate[] Select(IReadOnlyList<FilterRule> rules, FilterDirection direction) =>
        [.. rules.Where(rule => (rule.Direction & direction) != 0).Select(rule => new Predicate(rule))];

    private readonly struct Predicate(FilterRule rule)
    {
        private readonly FilterProtocol _protocol = rule.Protocol;
        private readonly int _localPort = rule.LocalPort ?? -1;
        private readonly int _remotePort = rule.RemotePort ?? -1;
        private readonly bool _hasRemote = rule.Remote is not null;
        private readonly Ipv4Prefix _remote = rule.Remote ?? default;

        public bool Matches(in FrameHeader frame, ushort localPort, ushort remotePort, Ipv4Address remote) =>
            MatchesProtocol(frame)
            && ((_localPort < 0 && _remotePort < 0) || (frame.HasPorts && MatchesPorts(localPort, remotePort)))
            && (!_hasRemote || (frame.Type is EtherType.Ipv4 or EtherType.Arp && ((remote.Value ^ _remote.Address.Value) & _remote.Mask) == 0));

        private bool MatchesPorts(ushort localPort, ushort remotePort) =>
            (_localPort < 0 || _localPort == localPort) && (_remotePort < 0 || _remotePort == remotePort);

        private bool MatchesProtocol(in FrameHeader frame) => _protocol switch
        {
            FilterProtocol.Any => true,
            FilterProtocol.Arp => frame.Type == EtherType.Arp,
            FilterProtocol.Icmp => frame.Type == EtherType.Ipv4 && frame.Protocol == IpProtocol.Icmp,
            FilterProtocol.Udp => frame.Type == EtherType.Ipv4 && frame.Protocol == IpProtocol.Udp,
            FilterProtocol.Tcp => frame.Type == EtherType.Ipv4 && frame.Protocol == IpProtocol.Tcp,
            _ => false,
        };
    }
}
