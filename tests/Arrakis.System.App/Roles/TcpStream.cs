using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Arrakis.SystemApp.Conversation;
using Arrakis.SystemApp.Transfer;

namespace Arrakis.SystemApp.Roles;

/// <summary>One end of a stream over the kernel's TCP: listens or connects, then sends or receives, and reports what it was.</summary>
internal static class TcpStream
{
    private const int PartLength = 1 << 16;

    public static void Play(TcpStreamOrder order)
    {
        using Socket connection = order.Listens ? Accept(order) : Connect(order);
        Talk.Say(order.Sends ? Send(connection, order) : Receive(connection));
        Talk.WaitForEnd();
    }

    private static Socket Accept(TcpStreamOrder order)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Parse(order.Address), order.Port));
        listener.Listen();
        Talk.Say(new ListeningReport());
        return listener.Accept();
    }

    private static Socket Connect(TcpStreamOrder order)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Connect(IPAddress.Parse(order.Address), order.Port);
        return socket;
    }

    private static StreamReport Send(Socket connection, TcpStreamOrder order)
    {
        var stream = new ByteStream(order.Seed);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] part = new byte[PartLength];
        for (long offset = 0; offset < order.Length; offset += PartLength)
        {
            Span<byte> next = part.AsSpan(0, (int)Math.Min(PartLength, order.Length - offset));
            stream.Read(offset, next);
            hash.AppendData(next);
            for (int sent = 0; sent < next.Length;)
            {
                sent += connection.Send(next[sent..]);
            }
        }

        // The other end has all of it when it closes too; what it says before may be a checksum of its own.
        connection.Shutdown(SocketShutdown.Send);
        var answer = new StringBuilder();
        while (connection.Receive(part) is > 0 and var received)
        {
            _ = answer.Append(Encoding.ASCII.GetString(part, 0, received));
        }

        return new StreamReport(order.Length, Convert.ToHexStringLower(hash.GetHashAndReset()), Answer: answer.ToString());
    }

    private static StreamReport Receive(Socket connection)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] part = new byte[PartLength];
        long length = 0;
        while (connection.Receive(part) is > 0 and var received)
        {
            hash.AppendData(part.AsSpan(0, received));
            length += received;
        }

        connection.Shutdown(SocketShutdown.Both);
        return new StreamReport(length, Convert.ToHexStringLower(hash.GetHashAndReset()));
    }
}
