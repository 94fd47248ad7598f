using System.Buffers.Binary;

namespace Arrakis.Native.Net;

/// <summary>What a physical function's driver enforces on one of its virtual functions; null is what it does not say.</summary>
/// <param name="Index">Its number.</param>
/// <param name="HardwareAddress">Six octets, all zero where none was set.</param>
/// <param name="Vlan">The VLAN that its frames are put into; 0 for none.</param>
/// <param name="VlanPriority">The priority in that VLAN's tag.</param>
/// <param name="SpoofCheck">Whether frames with another source address are dropped.</param>
/// <param name="Trusted">Whether it may ask for more, such as promiscuous mode.</param>
/// <param name="MinRate">Sending rate that it has for sure, in Mbit/s; 0 for none.</param>
/// <param name="MaxRate">Sending rate that it may not pass, in Mbit/s; 0 for none.</param>
public sealed record VirtualFunctionState(
    uint Index,
    byte[] HardwareAddress,
    uint? Vlan,
    uint? VlanPriority,
    bool? SpoofCheck,
    bool? Trusted,
    uint? MinRate,
    uint? MaxRate);

/// <summary>A network interface as the kernel describes it (RTM_NEWLINK, rtnetlink(7)).</summary>
/// <param name="Index">Its number.</param>
/// <param name="Name">Its name.</param>
/// <param name="IsUp">Whether it is switched on.</param>
/// <param name="HardwareAddress">Its hardware address.</param>
/// <param name="VirtualFunctions">What it enforces on its virtual functions.</param>
public sealed record LinkState(int Index, string Name, bool IsUp, byte[] HardwareAddress, IReadOnlyList<VirtualFunctionState> VirtualFunctions)
{
    internal const int FixedLength = 16; // struct ifinfomsg: family u8, padding u8, type u16, index i32, flags u32, change u32
    private const uint Up = 1; // IFF_UP
    private const ushort AddressAttribute = 1; // IFLA_ADDRESS
    private const int HardwareAddressLength = 6;
    private const uint NotSaid = uint.MaxValue; // -1, in place of 0 or 1.

    /// <summary>Reads what follows the message's header.</summary>
    /// <exception cref="NetlinkException">It makes no sense.</exception>
    public static LinkState Parse(ReadOnlySpan<byte> payload)
    {
        if (payload.Length < FixedLength)
        {
            throw new NetlinkException($"A description of a link has {payload.Length} octets, fewer than {FixedLength}.");
        }

        string name = "";
        byte[] address = [];
        List<VirtualFunctionState> functions = [];
        var attributes = new NetlinkAttributes(payload[FixedLength..]);
        while (attributes.MoveNext())
        {
            switch (attributes.Type)
            {
                case AddressAttribute:
                    address = attributes.Value.ToArray();
                    break;
                case RouteNetlink.NameAttribute:
                    name = attributes.Name();
                    break;
                case RouteNetlink.FunctionListAttribute:
                    NetlinkAttributes list = attributes.Nested;
                    while (list.MoveNext())
                    {
                        if (list.Type == RouteNetlink.FunctionAttribute)
                        {
                            functions.Add(ParseFunction(list.Nested));
                        }
                    }

                    break;
                default:
                    break;
            }
        }

        return new LinkState(
            BinaryPrimitives.ReadInt32LittleEndian(payload[4..]),
            name,
            (BinaryPrimitives.ReadUInt32LittleEndian(payload[8..]) & Up) != 0,
            address,
            functions);
    }

    private static VirtualFunctionState ParseFunction(NetlinkAttributes attributes)
    {
        uint? index = null;
        var state = new VirtualFunctionState(0, [], null, null, null, null, null, null);
        while (attributes.MoveNext())
        {
            switch ((VirtualFunctionAttribute)attributes.Type)
            {
                case VirtualFunctionAttribute.Mac: // struct ifla_vf_mac: function u32, address of 32 octets
                    index = attributes.Word();
                    state = state with { HardwareAddress = Address(attributes.Value[sizeof(uint)..]) };
                    break;
                case VirtualFunctionAttribute.Vlan: // struct ifla_vf_vlan: function, VLAN, priority
                    state = state with { Vlan = attributes.Word(1), VlanPriority = attributes.Word(2) };
                    break;
                case VirtualFunctionAttribute.SpoofCheck: // struct ifla_vf_spoofchk: function, setting
                    state = state with { SpoofCheck = Flag(attributes.Word(1)) };
                    break;
                case VirtualFunctionAttribute.Rate: // struct ifla_vf_rate: function, least, most
                    state = state with { MinRate = attributes.Word(1), MaxRate = attributes.Word(2) };
                    break;
                case VirtualFunctionAttribute.Trust: // struct ifla_vf_trust: function, setting
                    state = state with { Trusted = Flag(attributes.Word(1)) };
                    break;
                default:
                    break;
            }
        }

        return state with { Index = index ?? throw new NetlinkException("A description of a virtual function does not say which.") };
    }

    private static byte[] Address(ReadOnlySpan<byte> octets) =>
        octets.Length >= HardwareAddressLength
            ? octets[..HardwareAddressLength].ToArray()
            : throw new NetlinkException($"A virtual function's hardware address has {octets.Length} octets.");

    private static bool? Flag(uint setting) => setting == NotSaid ? null : setting != 0;
}
