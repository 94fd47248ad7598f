using System.Buffers.Binary;

namespace Arrakis.Wire.Frames;

/// <summary>ICMP types that this project names (RFC 792).</summary>
public enum IcmpType : byte
{
    /// <summary>Echo reply.</summary>
    EchoReply = 0,

    /// <summary>Destination unreachable.</summary>
    DestinationUnreachable = 3,

    /// <summary>Echo request.</summary>
    EchoRequest = 8,
}

/// <summary>An ICMP message (RFC 792): type, code, checksum, rest of header, data.</summary>
public readonly ref struct IcmpView
{
    /// <summary>Bytes of the header.</summary>
    public const int HeaderLength = 8;

    private const int ChecksumOffset = 2;

    private readonly ReadOnlySpan<byte> _message;

    private IcmpView(ReadOnlySpan<byte> message) => _message = message;

    /// <summary>Message type.</summary>
    public IcmpType Type => (IcmpType)_message[0];

    /// <summary>Subtype.</summary>
    public byte Code => _message[1];

    /// <summary>The whole message.</summary>
    public ReadOnlySpan<byte> Message => _message;

    /// <summary>Checks length and checksum of an IPv4 payload and makes a view.</summary>
    public static FrameError TryParse(ReadOnlySpan<byte> payload, out IcmpView view)
    {
        view = default;
        if (payload.Length < HeaderLength)
        {
            return FrameError.IcmpTruncated;
        }

        if (InternetChecksum.Compute(payload) != 0)
        {
            return FrameError.IcmpChecksumWrong;
        }

        view = new IcmpView(payload);
        return FrameError.None;
    }

    /// <summary>Writes the checksum of a whole message whose other fields are in place.</summary>
    public static void WriteChecksum(Span<byte> message)
    {
        BinaryPrimitives.WriteUInt16BigEndian(message[ChecksumOffset..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(message[ChecksumOffset..], InternetChecksum.Compute(message));
    }
}
