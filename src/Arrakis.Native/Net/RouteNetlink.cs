using System.Buffers.Binary;
using System.Text;
using Tmds.Linux;

namespace Arrakis.Native.Net;

/// <summary>A conversation with the kernel about network interfaces (rtnetlink(7)), in the network namespace that it was opened in. One thread at a time.</summary>
public sealed unsafe class RouteNetlink : IDisposable
{
    internal const ushort NameAttribute = 3; // IFLA_IFNAME
    internal const ushort FunctionListAttribute = 22; // IFLA_VFINFO_LIST
    internal const ushort FunctionAttribute = 1; // IFLA_VF_INFO
    private const ushort GetLink = 18; // RTM_GETLINK
    private const ushort SetLink = 19; // RTM_SETLINK
    private const ushort FlagAcknowledge = 0x04; // NLM_F_ACK
    private const ushort ExtendedMask = 29; // IFLA_EXT_MASK
    private const uint WithVirtualFunctions = 1; // RTEXT_FILTER_VF
    private const uint WithoutStatistics = 8; // RTEXT_FILTER_SKIP_STATS
    private const int NetlinkFamily = 16; // AF_NETLINK
    private const int NetlinkRoute = 0; // NETLINK_ROUTE
    private const int NetlinkLevel = 270; // SOL_NETLINK
    private const int CapAcknowledgements = 10; // NETLINK_CAP_ACK
    private const int ExtendedAcknowledgements = 11; // NETLINK_EXT_ACK
    private const int PeekAndTell = 0x02 | 0x20; // MSG_PEEK | MSG_TRUNC: tells how long it is
    private const int MaxMessageLength = 1 << 20;
    private const int PatienceSeconds = 10;
    private const int MaxNameLength = 15; // IFNAMSIZ without the zero
    private const int AddressLength = 32; // MAX_ADDR_LEN

    private readonly Descriptor _socket;
    private uint _sequence;

    private RouteNetlink(Descriptor socket) => _socket = socket;

    /// <summary>Opens a conversation.</summary>
    /// <exception cref="LinuxException">No descriptor left.</exception>
    public static RouteNetlink Open()
    {
        int number = LibC.socket(NetlinkFamily, LibC.SOCK_RAW | LibC.SOCK_CLOEXEC, NetlinkRoute);
        LinuxException.ThrowIfNegative(number, "socket(AF_NETLINK)");
        var socket = new Descriptor(number);
        try
        {
            int on = 1;
            LinuxException.ThrowIfNegative(LibC.setsockopt(number, NetlinkLevel, CapAcknowledgements, &on, sizeof(int)), "setsockopt(NETLINK_CAP_ACK)");
            LinuxException.ThrowIfNegative(LibC.setsockopt(number, NetlinkLevel, ExtendedAcknowledgements, &on, sizeof(int)), "setsockopt(NETLINK_EXT_ACK)");
            long* patience = stackalloc long[] { PatienceSeconds, 0 }; // struct timeval
            LinuxException.ThrowIfNegative(LibC.setsockopt(number, LibC.SOL_SOCKET, LibC.SO_RCVTIMEO, patience, 2 * sizeof(long)), "setsockopt(SO_RCVTIMEO)");
            return new RouteNetlink(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Describes an interface, with what it enforces on its virtual functions.</summary>
    /// <exception cref="LinuxException">There is no such interface (ENODEV).</exception>
    /// <exception cref="NetlinkException">The kernel's answer makes no sense.</exception>
    public LinkState Read(string name)
    {
        NetlinkRequest request = LinkRequest(GetLink, name).AddWords(ExtendedMask, WithVirtualFunctions | WithoutStatistics);
        byte[] answer = Ask(request, 0, $"RTM_GETLINK({name})");
        return LinkState.Parse(answer);
    }

    /// <summary>Gives a virtual function a hardware address, through its physical function's driver.</summary>
    /// <param name="name">The physical function's interface.</param>
    /// <param name="function">The virtual function's number.</param>
    /// <param name="address">Six octets.</param>
    /// <exception cref="LinuxException">The driver does not know the setting (EOPNOTSUPP), or refuses the value (EINVAL).</exception>
    public void SetAddress(string name, uint function, ReadOnlySpan<byte> address)
    {
        byte[] value = new byte[sizeof(uint) + AddressLength];
        BinaryPrimitives.WriteUInt32LittleEndian(value, function);
        address.CopyTo(value.AsSpan(sizeof(uint)));
        Set(name, function, VirtualFunctionAttribute.Mac, value);
    }

    /// <summary>Changes a setting of a virtual function, through its physical function's driver.</summary>
    /// <param name="name">The physical function's interface.</param>
    /// <param name="function">The virtual function's number.</param>
    /// <param name="setting">Which setting.</param>
    /// <param name="words">Its numbers, without the function's: VLAN and priority; 0 or 1; least and most rate.</param>
    /// <exception cref="LinuxException">The driver does not know the setting (EOPNOTSUPP), or refuses the value (EINVAL).</exception>
    public void Set(string name, uint function, VirtualFunctionAttribute setting, params ReadOnlySpan<uint> words)
    {
        byte[] value = new byte[(1 + words.Length) * sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(value, function);
        for (int i = 0; i < words.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(value.AsSpan((i + 1) * sizeof(uint)), words[i]);
        }

        Set(name, function, setting, value);
    }

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();

    private void Set(string name, uint function, VirtualFunctionAttribute setting, byte[] value)
    {
        NetlinkRequest request = LinkRequest(SetLink, name)
            .AddNested(FunctionListAttribute, list => list.AddNested(FunctionAttribute, info => info.Add((ushort)setting, value)));
        _ = Ask(request, FlagAcknowledge, $"RTM_SETLINK({name}, function {function}, {setting})");
    }

    private static NetlinkRequest LinkRequest(ushort type, string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return Encoding.UTF8.GetByteCount(name) <= MaxNameLength
            ? new NetlinkRequest(type, 0).Append(0, 0, 0, 0).AddName(NameAttribute, name)
            : throw new ArgumentException($"'{name}' is longer than the kernel's {MaxNameLength} characters.", nameof(name));
    }

    /// <summary>Sends a request and returns what answers it, without its header.</summary>
    private byte[] Ask(NetlinkRequest request, ushort flags, string call)
    {
        uint sequence = ++_sequence;
        ReadOnlySpan<byte> message = request.Complete(sequence, flags);
        fixed (byte* start = message)
        {
            LinuxException.ThrowIfNegative((long)LibC.send(_socket.Number, start, message.Length, 0), call);
        }

        while (true)
        {
            byte[] received = Receive(call);
            if (NetlinkAnswer.TryFind(received, sequence, call) is { } answer)
            {
                return answer;
            }
        }
    }

    private byte[] Receive(string call)
    {
        while (true)
        {
            byte none;
            long length = (long)LibC.recv(_socket.Number, &none, 0, PeekAndTell);
            if (length < 0 && LibC.errno == LibC.EINTR)
            {
                continue;
            }

            LinuxException.ThrowIfNegative(length, call);
            if (length > MaxMessageLength)
            {
                throw new NetlinkException($"The kernel answers {call} with {length} octets.");
            }

            byte[] buffer = new byte[length];
            SocketAddress sender;
            socklen_t senderLength = (uint)sizeof(SocketAddress);
            fixed (byte* start = buffer)
            {
                long received = (long)LibC.recvfrom(_socket.Number, start, buffer.Length, 0, (sockaddr*)&sender, &senderLength);
                LinuxException.ThrowIfNegative(received, call);
                if (sender.Port == 0) // Else another process sent it, not the kernel.
                {
                    return buffer[..(int)received];
                }
            }
        }
    }

    /// <summary>struct sockaddr_nl.</summary>
    private struct SocketAddress
    {
#pragma warning disable CS0649 // The kernel writes it.
        public ushort Family;
        public ushort Padding;
        public uint Port;
        public uint Groups;
#pragma warning restore CS0649
    }
}
