using System.Buffers.Binary;

namespace Arrakis.SystemApp.Transfer;

/// <summary>What a datagram of the transfer says.</summary>
internal enum TransferKind : byte
{
    /// <summary>A chunk of the stream.</summary>
    Data = 1,

    /// <summary>The number of the first chunk that is missing, and a bit for each of the window that has come after it.</summary>
    Acknowledgement = 2,

    /// <summary>All chunks have come: the stream's length and SHA-256.</summary>
    End = 3,

    /// <summary>Answers the end with the SHA-256 of what came.</summary>
    EndAcknowledgement = 4,
}

/// <summary>
/// Datagrams of the transfer, little-endian: kind (one byte), three bytes of zero, the transfer's number (u32), a chunk's
/// number (u32), and what belongs to the kind.
/// </summary>
internal static class TransferFormat
{
    public const int HeaderLength = 12;

    /// <summary>Bytes of the stream in a datagram; the last may have fewer. A multiple of eight, within an Ethernet frame.</summary>
    public const int ChunkLength = 1456;

    /// <summary>Chunks under way at most.</summary>
    public const int Window = 512;

    public const int MaxLength = HeaderLength + ChunkLength;

    public const int AcknowledgementLength = HeaderLength + (Window / 8);

    public const int HashLength = 32;

    private const int TransferOffset = 4;
    private const int NumberOffset = 8;

    public static void WriteHeader(Span<byte> datagram, TransferKind kind, uint transfer, uint number)
    {
        datagram[..HeaderLength].Clear();
        datagram[0] = (byte)kind;
        BinaryPrimitives.WriteUInt32LittleEndian(datagram[TransferOffset..], transfer);
        BinaryPrimitives.WriteUInt32LittleEndian(datagram[NumberOffset..], number);
    }

    /// <summary>False for a datagram of something else.</summary>
    public static bool TryReadHeader(ReadOnlySpan<byte> datagram, uint transfer, out TransferKind kind, out uint number)
    {
        kind = default;
        number = 0;
        if (datagram.Length < HeaderLength || BinaryPrimitives.ReadUInt32LittleEndian(datagram[TransferOffset..]) != transfer)
        {
            return false;
        }

        kind = (TransferKind)datagram[0];
        number = BinaryPrimitives.ReadUInt32LittleEndian(datagram[NumberOffset..]);
        return true;
    }
}
