using System.Net;
using System.Net.Sockets;
using Arrakis.SystemApp.Conversation;

namespace Arrakis.SystemApp.Roles;

/// <summary>Sends datagrams back through the kernel's own stack, which takes only those with a right checksum.</summary>
internal static class KernelEcho
{
    private const int SocketLevel = 1; // SOL_SOCKET
    private const int ForceReceiveBuffer = 33; // SO_RCVBUFFORCE
    private const int ReceiveBuffer = 4 << 20; // 64 datagrams at once, however the kernel counts them.

    public static void Play(KernelEchoOrder order)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.SetRawSocketOption(SocketLevel, ForceReceiveBuffer, BitConverter.GetBytes(ReceiveBuffer));
        socket.Bind(new IPEndPoint(IPAddress.Parse(order.Address), order.Port));
        _ = Talk.Start("echo", () =>
        {
            byte[] buffer = new byte[1 << 16];
            var from = new SocketAddress(AddressFamily.InterNetwork);
            while (true)
            {
                int length = socket.ReceiveFrom(buffer, SocketFlags.None, from);
                _ = socket.SendTo(buffer.AsSpan(0, length), SocketFlags.None, from);
            }
        });
        Talk.Say(new ListeningReport());
        Talk.WaitForEnd();
    }
}
