using Arrakis.Native.Net;
using Arrakis.Wire;

namespace Arrakis.ControlPlane.Bindings;

/// <summary>What the kernel's own interfaces have, in the daemon's network namespace.</summary>
/// <param name="Ip">IPv4 addresses, with the interface's name.</param>
/// <param name="Mac">Hardware addresses, with the interface's name.</param>
internal sealed record HostAddresses(IReadOnlyDictionary<Ipv4Address, string> Ip, IReadOnlyDictionary<MacAddress, string> Mac)
{
    /// <summary>None.</summary>
    internal static HostAddresses None { get; } = new(new Dictionary<Ipv4Address, string>(), new Dictionary<MacAddress, string>());

    /// <summary>Asks the kernel.</summary>
    internal static HostAddresses Read()
    {
        Dictionary<Ipv4Address, string> ip = [];
        Dictionary<MacAddress, string> mac = [];
        foreach (InterfaceAddress address in InterfaceAddresses.Read())
        {
            if (address.IsHardware)
            {
                mac[MacAddress.Read(address.Octets)] = address.Name;
            }
            else
            {
                ip[Ipv4Address.Read(address.Octets)] = address.Name;
            }
        }

        return new HostAddresses(ip, mac);
    }
}
