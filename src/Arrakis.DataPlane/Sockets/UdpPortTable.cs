using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Arrakis.DataPlane.Rings;

namespace Arrakis;

/// <summary>Sockets by port (RFC 768): the port is the index. Any thread binds; the reactor's delivers.</summary>
internal sealed class UdpPortTable(NicQueue nic)
{
    // RFC 6335 §6: dynamic ports.
    private const int FirstEphemeral = 49152;
    private const int EphemeralCount = 65536 - FirstEphemeral;

    private readonly UdpSocket?[] _sockets = new UdpSocket?[65536];

    /// <summary>Binds a socket; port 0 takes a free ephemeral one, from a place that cannot be guessed on (RFC 6056).</summary>
    /// <exception cref="SocketException">AddressAlreadyInUse: the port, or each ephemeral port, is taken.</exception>
    /// <param name="socket">The socket.</param>
    /// <param name="port">The port, or 0.</param>
    /// <param name="remote">Who is to be answered: of the ephemeral ports, one that brings what this sender sends to this queue.</param>
    public ushort Bind(UdpSocket socket, ushort port, UdpEndPoint? remote = null)
    {
        if (port != 0)
        {
            return TryBind(socket, port) ? port : throw new SocketException((int)SocketError.AddressAlreadyInUse);
        }

        int start = RandomNumberGenerator.GetInt32(EphemeralCount);
        for (int i = 0; i < EphemeralCount; i++)
        {
            var candidate = (ushort)(FirstEphemeral + (start + i) % EphemeralCount);
            if ((remote is not { } sender || nic.Nic.QueueOf(sender, candidate) == nic.Index) && TryBind(socket, candidate))
            {
                return candidate;
            }
        }

        throw new SocketException((int)SocketError.AddressAlreadyInUse);
    }

    /// <summary>Whether a socket has a port. Any thread.</summary>
    public bool IsBound(ushort port) => Volatile.Read(ref _sockets[port]) is not null;

    /// <summary>Frees a socket's port.</summary>
    public void Unbind(UdpSocket socket, ushort port) => Interlocked.CompareExchange(ref _sockets[port], null, socket);

    /// <summary>Hands a datagram to its socket.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Deliver(ref ReceivedFrame frame)
    {
        if (_sockets[frame.DestinationPort] is { } socket)
        {
            socket.Deliver(ref frame);
        }
        else
        {
            nic.CountWithoutSocket(frame.DestinationPort);
        }
    }

    /// <summary>Ends all that waits in any socket.</summary>
    public void FailAll(Exception error)
    {
        foreach (UdpSocket? socket in _sockets)
        {
            socket?.Fail(error);
        }
    }

    private bool TryBind(UdpSocket socket, ushort port) => Interlocked.CompareExchange(ref _sockets[port], socket, null) is null;
}
