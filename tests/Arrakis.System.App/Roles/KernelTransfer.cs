using System.Net;
using System.Net.Sockets;
using Arrakis.SystemApp.Conversation;
using Arrakis.SystemApp.Transfer;

namespace Arrakis.SystemApp.Roles;

/// <summary>One end of a transfer over the kernel's UDP: the peer of <see cref="RingTransfer"/>.</summary>
internal static class KernelTransfer
{
    private const int PauseMilliseconds = 5;
    private const int SocketLevel = 1; // SOL_SOCKET
    private const int ForceReceiveBuffer = 33; // SO_RCVBUFFORCE
    private const int ReceiveBuffer = 4 << 20; // Holds a window.

    public static void Play(KernelTransferOrder order)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = PauseMilliseconds };
        socket.SetRawSocketOption(SocketLevel, ForceReceiveBuffer, BitConverter.GetBytes(ReceiveBuffer));
        _ = Talk.Start("transfer", () =>
        {
            if (order.Sends)
            {
                Send(socket, order);
            }
            else
            {
                Receive(socket, order);
            }
        });
        Talk.WaitForEnd();
    }

    private static void Send(Socket socket, KernelTransferOrder order)
    {
        using var sender = new TransferSender(order.Transfer, order.Seed, order.Length);
        socket.Connect(IPAddress.Parse(order.Address), order.Port);
        byte[] datagram = new byte[TransferFormat.MaxLength];
        byte[] answer = new byte[TransferFormat.MaxLength];
        while (sender.ReceiversSha256 is null)
        {
            while (sender.TryNext(Environment.TickCount64, datagram, out int length))
            {
                _ = socket.Send(datagram.AsSpan(0, length));
            }

            if (TryReceive(socket, answer, out int received))
            {
                sender.Receive(Environment.TickCount64, answer.AsSpan(0, received));
            }
        }

        Talk.Say(new StreamReport(order.Length, Convert.ToHexStringLower(sender.Sha256), sender.Repeated));
    }

    // Answers on after the report: the sender may not have heard that all is here.
    private static void Receive(Socket socket, KernelTransferOrder order)
    {
        using var receiver = new TransferReceiver(order.Transfer);
        socket.Bind(new IPEndPoint(IPAddress.Parse(order.Address), order.Port));
        Talk.Say(new ListeningReport());
        byte[] datagram = new byte[TransferFormat.MaxLength + 1];
        byte[] answer = new byte[TransferFormat.MaxLength];
        var from = new SocketAddress(AddressFamily.InterNetwork);
        bool isReported = false;
        socket.ReceiveTimeout = 0;
        while (true)
        {
            int length = receiver.Receive(datagram.AsSpan(0, socket.ReceiveFrom(datagram, SocketFlags.None, from)), answer);
            if (length != 0)
            {
                _ = socket.SendTo(answer.AsSpan(0, length), SocketFlags.None, from);
            }

            if (receiver.Sha256 is { } hash && !isReported)
            {
                isReported = true;
                Talk.Say(new StreamReport(receiver.Length, Convert.ToHexStringLower(hash)));
            }
        }
    }

    private static bool TryReceive(Socket socket, byte[] into, out int length)
    {
        length = socket.Receive(into, SocketFlags.None, out SocketError error);
        return error switch
        {
            SocketError.Success => true,
            SocketError.TimedOut or SocketError.WouldBlock or SocketError.ConnectionRefused => false,
            _ => throw new SocketException((int)error),
        };
    }
}
