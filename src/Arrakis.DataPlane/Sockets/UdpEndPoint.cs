using System.Net;
using Arrakis.Wire;

namespace Arrakis;

/// <summary>An IPv4 address and a UDP port, as a value: no allocation per datagram.</summary>
/// <param name="Address">The address.</param>
/// <param name="Port">The port.</param>
public readonly record struct UdpEndPoint(Ipv4Address Address, ushort Port)
{
    /// <summary>The same as the class library's type (allocates).</summary>
    public IPEndPoint ToIPEndPoint() => new(Address.ToIPAddress(), Port);

    /// <summary>Converts from the class library's type.</summary>
    /// <exception cref="ArgumentException">The address is IPv6.</exception>
    public static UdpEndPoint From(IPEndPoint endPoint)
    {
        ArgumentNullException.ThrowIfNull(endPoint);
        return new UdpEndPoint(Ipv4Address.From(endPoint.Address), (ushort)endPoint.Port);
    }

    /// <summary>The same as the class library's type (allocates).</summary>
    public static implicit operator IPEndPoint(UdpEndPoint endPoint) => endPoint.ToIPEndPoint();

    /// <summary>Address, colon, port.</summary>
    public override string ToString() => $"{Address}:{Port}";
}
