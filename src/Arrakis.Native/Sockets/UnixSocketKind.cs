namespace Arrakis.Native.Sockets;

/// <summary>Kinds of Unix sockets.</summary>
public enum UnixSocketKind
{
    /// <summary>SOCK_STREAM: bytes.</summary>
    Stream = 1,

    /// <summary>SOCK_DGRAM: messages, without a connection.</summary>
    Datagram = 2,

    /// <summary>SOCK_SEQPACKET: messages, in order.</summary>
    SequencedPacket = 5,
}

/// <summary>Who is at the other end of a Unix socket, as the kernel recorded it when the connection was made (SO_PEERCRED).</summary>
/// <param name="ProcessId">Process.</param>
/// <param name="UserId">Effective user.</param>
/// <param name="GroupId">Effective group.</param>
public readonly record struct PeerCredentials(int ProcessId, uint UserId, uint GroupId);

/// <summary>What was received.</summary>
/// <param name="Length">Bytes; zero at the end of the connection.</param>
/// <param name="Truncated">The message was longer than the buffer; the rest is lost.</param>
/// <param name="DescriptorsTruncated">More descriptors came than fit, or the process has none left; the rest is closed.</param>
/// <param name="Descriptors">Descriptors that came with it; the receiver owns them.</param>
public readonly record struct ReceivedMessage(int Length, bool Truncated, bool DescriptorsTruncated, IReadOnlyList<Descriptor> Descriptors)
{
    /// <summary>Closes all descriptors.</summary>
    public void CloseDescriptors()
    {
        foreach (Descriptor descriptor in Descriptors)
        {
            descriptor.Dispose();
        }
    }
}
