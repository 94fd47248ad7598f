using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Contract.Device;
using Arrakis.Contract.Json;
using Arrakis.Native;
using Arrakis.Native.Sockets;

namespace Arrakis.SoftDevice.Management;

/// <summary>One connection of the management socket: packets in, one reply for each.</summary>
internal sealed class ManagementConnection(UnixSocket socket) : IDisposable
{
    private readonly byte[] _buffer = new byte[ControlProtocol.MaxMessageLength + 1];
    private ulong _lastId;

    /// <summary>The connection.</summary>
    public Descriptor Descriptor => socket.Descriptor;

    /// <summary>
    /// Takes the next request. False where the connection must end; a request that cannot be read is answered here, and
    /// then there is none.
    /// </summary>
    /// <param name="request">The request, if one came.</param>
    /// <param name="descriptors">What came with it; the caller closes them.</param>
    public bool TryReceive(out DeviceRequest? request, out IReadOnlyList<Descriptor> descriptors)
    {
        request = null;
        descriptors = [];
        if (socket.TryReceive(_buffer) is not { } received)
        {
            return true;
        }

        descriptors = received.Descriptors;
        if (received.Length == 0)
        {
            return false;
        }

        if (received.Truncated || received.Length > ControlProtocol.MaxMessageLength)
        {
            return TryRefuse(0, ErrorCode.MessageTooLarge, $"The message is over {ControlProtocol.MaxMessageLength} bytes.", "Send less at a time.");
        }

        if (received.DescriptorsTruncated)
        {
            return TryRefuse(0, ErrorCode.WrongDescriptors, "More descriptors came than this device takes.", "Send only those that the request needs.");
        }

        try
        {
            DeviceRequest decoded = MessageCodec.DecodeDeviceRequest(_buffer.AsSpan(0, received.Length));
            if (decoded.Id <= _lastId)
            {
                return TryRefuse(decoded.Id, ErrorCode.Replayed, $"Id {decoded.Id} is not above {_lastId}.", "Count requests up.");
            }

            _lastId = decoded.Id;
            int expected = decoded is AttachUplinkRequest ? 1 : 0;
            if (received.Descriptors.Count != expected)
            {
                return TryRefuse(decoded.Id, ErrorCode.WrongDescriptors, $"{received.Descriptors.Count} descriptors came, not {expected}.", "Send only those that the request needs.");
            }

            request = decoded;
            return true;
        }
        catch (ArrakisException e)
        {
            return TryRefuse(0, e.Code, e.Cause, e.Remedy);
        }
    }

    /// <summary>Sends a reply; false where the peer does not read, or has gone.</summary>
    public bool TryReply(DeviceReply reply)
    {
        try
        {
            return socket.TrySend(MessageCodec.Encode(reply)) > 0;
        }
        catch (LinuxException)
        {
            return false;
        }
    }

    /// <summary>Refuses a request; false where the peer does not read, or has gone.</summary>
    public bool TryRefuse(ulong id, ErrorCode code, string cause, string remedy) =>
        TryReply(new DeviceErrorReply { Id = id, Code = code, Cause = cause, Remedy = remedy });

    /// <inheritdoc/>
    public void Dispose() => socket.Dispose();
}
