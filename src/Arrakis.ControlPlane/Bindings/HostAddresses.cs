using System.Net.NetworkInformation;
using System.Net.Sockets;
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
        foreach (NetworkInterface host in NetworkInterface.GetAllNetworkInterfaces())
        {
            byte[] octets = host.GetPhysicalAddress().GetAddressBytes();
            if (octets.Length == MacAddress.Length)
            {
                mac[MacAddress.Read(octets)] = host.Name;
            }

            foreach (UnicastIPAddressInformation address in host.GetIPProperties().UnicastAddresses)
            {
                if (address.Address.AddressFamily == AddressFamily.InterNetwork)
                {
                    ip[Ipv4Address.From(address.Address)] = host.Name;
                }
            }
        }

        return new HostAddresses(ip, mac);
    }
}
