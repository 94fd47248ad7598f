using System.Buffers.Binary;
using Arrakis.Native;
using Arrakis.Native.Sockets;
using Arrakis.Wire.VhostUser;

namespace Arrakis.SoftDevice.Vhost;

/// <summary>
/// A front end's stream, cut into messages. Never more is read than the message under way still needs, so that
/// descriptors, which travel with a message's first byte, cannot be taken for another's.
/// </summary>
internal sealed class VhostConnection(UnixSocket socket) : IDisposable
{
    private readonly byte[] _buffer = new byte[VhostUserHeader.Length + VhostUserHeader.MaxPayload];
    private readonly List<Descriptor> _descriptors = [];
    private VhostUserHeader _header;
    private int _filled;

    /// <summary>The stream.</summary>
    public Descriptor Descriptor => socket.Descriptor;

    /// <summary>Takes the next message; null where it has not come as a whole.</summary>
    /// <param name="isEnd">Whether the front end has closed the connection.</param>
    /// <exception cref="VhostProtocolException">What came is no message.</exception>
    /// <exception cref="LinuxException">The connection is broken.</exception>
    public VhostMessage? TryReceive(out bool isEnd)
    {
        isEnd = false;
        while (true)
        {
            int needed = VhostUserHeader.Length + (_filled >= VhostUserHeader.Length ? (int)_header.PayloadLength : 0);
            if (_filled >= VhostUserHeader.Length && _filled == needed)
            {
                return Take();
            }

            if (socket.TryReceive(_buffer.AsSpan(_filled, needed - _filled)) is not { } received)
            {
                return null;
            }

            _descriptors.AddRange(received.Descriptors);
            if (received.DescriptorsTruncated || _descriptors.Count > VhostUserHeader.MaxDescriptors)
            {
                throw new VhostProtocolException($"more than {VhostUserHeader.MaxDescriptors} descriptors came with a message, or the process has none left");
            }

            if (received.Length == 0)
            {
                isEnd = true;
                return null;
            }

            _filled += received.Length;
            if (_filled == VhostUserHeader.Length && (!VhostUserHeader.TryRead(_buffer, out _header) || _header.IsReply))
            {
                throw new VhostProtocolException("a header is not that of a request of vhost-user version 1 with at most 512 bytes of payload");
            }
        }
    }

    /// <summary>Sends a reply.</summary>
    /// <exception cref="VhostProtocolException">The front end does not read its replies.</exception>
    public void Reply(VhostUserRequest request, ReadOnlySpan<byte> payload)
    {
        Span<byte> message = stackalloc byte[VhostUserHeader.Length + payload.Length];
        new VhostUserHeader(request, VhostUserHeader.Version | VhostUserHeader.ReplyFlag, (uint)payload.Length).Write(message);
        payload.CopyTo(message[VhostUserHeader.Length..]);
        if (socket.TrySend(message) != message.Length)
        {
            throw new VhostProtocolException("the front end does not read its replies");
        }
    }

    /// <summary>Sends a u64.</summary>
    public void Reply(VhostUserRequest request, ulong number)
    {
        Span<byte> payload = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(payload, number);
        Reply(request, payload);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Descriptor descriptor in _descriptors)
        {
            descriptor.Dispose();
        }

        _descriptors.Clear();
        socket.Dispose();
    }

    private VhostMessage Take()
    {
        var message = new VhostMessage(_header, _buffer[VhostUserHeader.Length.._filled], [.. _descriptors]);
        _descriptors.Clear();
        _filled = 0;
        return message;
    }
}
