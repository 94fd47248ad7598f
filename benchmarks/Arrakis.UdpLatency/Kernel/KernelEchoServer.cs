using System.Net;
using System.Net.Sockets;
using Arrakis.Native.Threads;

namespace Arrakis.UdpLatency.Kernel;

/// <summary>UDP echo on a kernel socket, as good as System.Net.Sockets has it: no allocation for a request.</summary>
internal static class KernelEchoServer
{
    private const int BufferLength = 2048;

    /// <summary>Serves on the calling thread, which is pinned to the order's core, until the process ends.</summary>
    /// <param name="order">What to serve.</param>
    /// <param name="ready">Called with the serving thread's number once the socket takes requests.</param>
    public static void Run(ServerOrder order, Action<int> ready)
    {
        PinnedThread.Pin(order.Core);
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(order.Address), order.Port));
        ready(PinnedThread.CurrentId);
        switch (order.Use)
        {
            case SocketUse.Batch:
                BatchEcho.Run((int)socket.Handle);
                break;
            case SocketUse.BusyPoll:
                BusyPoll(socket);
                break;
            default:
                Block(socket);
                break;
        }
    }

    private static void Block(Socket socket)
    {
        byte[] buffer = new byte[BufferLength];
        var from = new SocketAddress(AddressFamily.InterNetwork);
        while (true)
        {
            int length = socket.ReceiveFrom(buffer, SocketFlags.None, from);
            _ = socket.SendTo(buffer.AsSpan(0, length), SocketFlags.None, from);
        }
    }

    /// <summary>
    /// Non-blocking ReceiveFrom reports "nothing there" by an exception, far too dear to poll with. Only a connected
    /// socket has a Receive that returns the error, so the first request's sender becomes the socket's only peer.
    /// </summary>
    private static void BusyPoll(Socket socket)
    {
        byte[] buffer = new byte[BufferLength];
        EndPoint first = new IPEndPoint(IPAddress.Any, 0);
        int length = socket.ReceiveFrom(buffer, ref first);
        socket.Connect(first);
        socket.Blocking = false;
        _ = socket.Send(buffer.AsSpan(0, length), SocketFlags.None);
        while (true)
        {
            length = socket.Receive(buffer, SocketFlags.None, out SocketError error);
            if (error == SocketError.Success)
            {
                _ = socket.Send(buffer.AsSpan(0, length), SocketFlags.None, out _);
            }
        }
    }
}
