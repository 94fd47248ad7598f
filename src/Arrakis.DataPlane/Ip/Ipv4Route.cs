using System.Runtime.CompilerServices;
using Arrakis.Wire;

namespace Arrakis.DataPlane.Ip;

/// <summary>Where a destination's frames go.</summary>
internal enum RouteKind
{
    /// <summary>To a neighbour: the destination itself or the gateway.</summary>
    Neighbour,

    /// <summary>To all stations of the network.</summary>
    Broadcast,

    /// <summary>Nowhere: a multicast or impossible address, or another network without a gateway.</summary>
    None,

    /// <summary>To this host itself, which the network does not send back.</summary>
    Self,
}

/// <summary>Chooses the next hop (RFC 1122 §3.3.1): one network, at most one gateway.</summary>
internal sealed class Ipv4Route(Ipv4Prefix address, Ipv4Address? gateway)
{
    private readonly Ipv4Address _broadcast = address.PrefixLength >= 31 ? Ipv4Address.Broadcast : address.DirectedBroadcast;

    /// <summary>Finds the neighbour for a destination.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public RouteKind Find(Ipv4Address destination, out Ipv4Address neighbour)
    {
        neighbour = destination;
        if (destination == _broadcast || destination == Ipv4Address.Broadcast)
        {
            return RouteKind.Broadcast;
        }

        if (!destination.IsUnicast)
        {
            return RouteKind.None;
        }

        if (destination == address.Address)
        {
            return RouteKind.Self;
        }

        if (address.Contains(destination))
        {
            return RouteKind.Neighbour;
        }

        neighbour = gateway.GetValueOrDefault();
        return gateway.HasValue ? RouteKind.Neighbour : RouteKind.None;
    }
}
