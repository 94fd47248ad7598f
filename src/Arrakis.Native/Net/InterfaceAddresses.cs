using System.Runtime.InteropServices;

namespace Arrakis.Native.Net;

/// <summary>An address of one of the kernel's network interfaces.</summary>
/// <param name="Name">The interface.</param>
/// <param name="IsHardware">Whether it is the hardware address; else it is an IPv4 address.</param>
/// <param name="Octets">Six octets, or four.</param>
public readonly record struct InterfaceAddress(string Name, bool IsHardware, byte[] Octets);

/// <summary>
/// The addresses of the kernel's interfaces in this network namespace (getifaddrs(3)). The runtime's own list reads files
/// of routes and leases for each interface, which takes too long for each bind.
/// </summary>
public static unsafe class InterfaceAddresses
{
    private const ushort FamilyIpv4 = 2; // AF_INET
    private const ushort FamilyPacket = 17; // AF_PACKET
    private const int Ipv4Offset = 4; // sockaddr_in: family u16, port u16, address
    private const int HardwareLengthOffset = 11; // sockaddr_ll: family u16, protocol u16, index i32, type u16, packet type u8, length u8, address
    private const int HardwareOffset = 12;
    private const int HardwareLength = 6;

    /// <summary>Asks the kernel.</summary>
    /// <exception cref="LinuxException">No memory or descriptor left.</exception>
    public static IReadOnlyList<InterfaceAddress> Read()
    {
        Entry* first;
        LinuxException.ThrowIfNegative(LibcExtra.GetInterfaceAddresses(&first), "getifaddrs");
        try
        {
            List<InterfaceAddress> addresses = [];
            for (Entry* entry = first; entry is not null; entry = entry->Next)
            {
                byte* address = entry->Address;
                if (address is null)
                {
                    continue;
                }

                ushort family = *(ushort*)address;
                if (family == FamilyIpv4)
                {
                    addresses.Add(new InterfaceAddress(NameOf(entry), false, new ReadOnlySpan<byte>(address + Ipv4Offset, 4).ToArray()));
                }
                else if (family == FamilyPacket && address[HardwareLengthOffset] == HardwareLength)
                {
                    addresses.Add(new InterfaceAddress(NameOf(entry), true, new ReadOnlySpan<byte>(address + HardwareOffset, HardwareLength).ToArray()));
                }
            }

            return addresses;
        }
        finally
        {
            LibcExtra.FreeInterfaceAddresses(first);
        }
    }

    private static string NameOf(Entry* entry) => Marshal.PtrToStringUTF8((nint)entry->Name) ?? "";

    /// <summary>struct ifaddrs; what follows is not looked at.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Entry
    {
        public Entry* Next;
        public byte* Name;
        public uint Flags;
        public byte* Address;
    }
}
