using System.Net;
using System.Net.Sockets;
using Arrakis.SystemApp.Conversation;

namespace Arrakis.SystemApp.Roles;

/// <summary>Sends datagrams of all sizes through the kernel's own stack and compares the echoes byte by byte.</summary>
internal static class KernelClient
{
    private const int MaxPayload = 1472;
    private const int Tries = 5;
    private const int TimeoutMilliseconds = 2000;

    public static void Play(KernelClientOrder order)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = TimeoutMilliseconds };
        socket.Connect(IPAddress.Parse(order.Target), order.Port);
        var random = new Random(order.Seed);
        byte[] sent = new byte[MaxPayload];
        byte[] received = new byte[MaxPayload + 1];
        for (int i = 0; i < order.Datagrams; i++)
        {
            Span<byte> payload = sent.AsSpan(0, i * MaxPayload / Math.Max(1, order.Datagrams - 1));
            random.NextBytes(payload);
            Exchange(socket, payload, received);
        }

        Talk.Say(new DoneReport(order.Datagrams));
        Talk.WaitForEnd();
    }

    // UDP may lose: the kernel drops what waits too long for ARP.
    private static void Exchange(Socket socket, ReadOnlySpan<byte> payload, byte[] received)
    {
        for (int i = 0; i < Tries; i++)
        {
            _ = socket.Send(payload);
            try
            {
                // An echo of an earlier try is of the same bytes, or of the datagram before.
                int length = socket.Receive(received);
                if (payload.SequenceEqual(received.AsSpan(0, length)))
                {
                    return;
                }
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.TimedOut or SocketError.WouldBlock)
            {
                // Once more.
            }
        }

        throw new InvalidDataException($"No right echo of a datagram of {payload.Length} bytes came in {Tries} tries.");
    }
}
