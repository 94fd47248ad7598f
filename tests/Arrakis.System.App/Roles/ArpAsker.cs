using System.Buffers.Binary;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Arrakis.SystemApp.Conversation;
using Arrakis.Wire;
using Arrakis.Wire.Frames;

namespace Arrakis.SystemApp.Roles;

/// <summary>Asks by ARP, with frames of its own, who has an address, and reports the MAC of every answer (packet(7)).</summary>
internal static class ArpAsker
{
    private const int TimeoutMilliseconds = 1000;
    private const ushort ProtocolArp = 0x0806;

    public static void Play(ArpOrder order)
    {
        NetworkInterface own = NetworkInterface.GetAllNetworkInterfaces().Single(candidate => candidate.Name == order.Interface);
        int index = own.GetIPProperties().GetIPv4Properties().Index;
        var mac = MacAddress.Read(own.GetPhysicalAddress().GetAddressBytes());
        using var socket = new Socket(AddressFamily.Packet, SocketType.Raw, (ProtocolType)BinaryPrimitives.ReverseEndianness(ProtocolArp)) { ReceiveTimeout = TimeoutMilliseconds };
        socket.Bind(new LinkEndPoint(index));
        byte[] request = new byte[EthernetView.MinFrameLength];
        EthernetView.Write(request, MacAddress.Broadcast, mac, EtherType.Arp);
        var target = Ipv4Address.Parse(order.Target);
        ArpView.Write(request.AsSpan(EthernetView.HeaderLength), ArpOperation.Request, mac, Ipv4Address.Parse(order.Sender), default, target);
        List<string> answers = [];
        for (int i = 0; i < order.Requests; i++)
        {
            _ = socket.Send(request);
        }

        // Until it is silent: a second answer to a request would come too.
        byte[] frame = new byte[2048];
        while (TryReceive(socket, frame, out int length))
        {
            if (EthernetView.TryParse(frame.AsSpan(0, length), out EthernetView ethernet) == FrameError.None
                && ethernet.Type == EtherType.Arp
                && ArpView.TryParse(ethernet.Payload, out ArpView arp) == FrameError.None
                && arp.Operation == ArpOperation.Reply
                && arp.SenderAddress == target)
            {
                answers.Add(arp.SenderMac.ToString());
            }
        }

        Talk.Say(new ArpReport(answers));
        Talk.WaitForEnd();
    }

    private static bool TryReceive(Socket socket, byte[] frame, out int length)
    {
        try
        {
            length = socket.Receive(frame);
            return true;
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.TimedOut or SocketError.WouldBlock)
        {
            length = 0;
            return false;
        }
    }

    /// <summary>struct sockaddr_ll of an interface, for ARP.</summary>
    private sealed class LinkEndPoint(int interfaceIndex) : EndPoint
    {
        private const int Length = 20;

        public override AddressFamily AddressFamily => AddressFamily.Packet;

        public override SocketAddress Serialize()
        {
            var address = new SocketAddress(AddressFamily.Packet, Length);
            BinaryPrimitives.WriteUInt16BigEndian(address.Buffer.Span[2..], ProtocolArp);
            BinaryPrimitives.WriteInt32LittleEndian(address.Buffer.Span[4..], interfaceIndex);
            return address;
        }

        public override EndPoint Create(SocketAddress socketAddress) => this;
    }
}
