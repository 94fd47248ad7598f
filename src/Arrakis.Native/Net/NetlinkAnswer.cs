using System.Buffers.Binary;

namespace Arrakis.Native.Net;

/// <summary>Finds the answer to a request in what a netlink socket received. No length is believed before it is checked.</summary>
internal static class NetlinkAnswer
{
    private const ushort ErrorMessage = 2; // NLMSG_ERROR: an error, or with 0 an acknowledgement
    private const ushort FlagCapped = 0x100; // NLM_F_CAPPED: of the request only the header is repeated
    private const ushort FlagAttributes = 0x200; // NLM_F_ACK_TLVS
    private const ushort TextAttribute = 1; // NLMSGERR_ATTR_MSG
    private const int MaxErrno = 4095;

    /// <summary>The payload of the first message that answers the request, nothing in it for an acknowledgement; null where none does.</summary>
    /// <exception cref="LinuxException">The answer is an error.</exception>
    /// <exception cref="NetlinkException">A message is cut off, or its lengths make no sense.</exception>
    internal static byte[]? TryFind(ReadOnlySpan<byte> received, uint sequence, string call)
    {
        while (!received.IsEmpty)
        {
            if (received.Length < NetlinkRequest.HeaderLength)
            {
                throw new NetlinkException($"A netlink message is cut off behind {received.Length} octets.");
            }

            uint length = BinaryPrimitives.ReadUInt32LittleEndian(received);
            if (length < NetlinkRequest.HeaderLength || length > (uint)received.Length)
            {
                throw new NetlinkException($"A netlink message says that it has {length} octets where {received.Length} are left.");
            }

            ReadOnlySpan<byte> message = received[..(int)length];
            if (BinaryPrimitives.ReadUInt32LittleEndian(message[8..]) == sequence)
            {
                ReadOnlySpan<byte> payload = message[NetlinkRequest.HeaderLength..];
                if (BinaryPrimitives.ReadUInt16LittleEndian(message[4..]) != ErrorMessage)
                {
                    return payload.ToArray();
                }

                ThrowIfError(payload, BinaryPrimitives.ReadUInt16LittleEndian(message[6..]), call);
                return [];
            }

            received = received[Math.Min(NetlinkAttributes.Align((int)length), received.Length)..];
        }

        return null;
    }

    // struct nlmsgerr: error i32, the request's header, unless capped its payload, then attributes.
    private static void ThrowIfError(ReadOnlySpan<byte> payload, ushort flags, string call)
    {
        if (payload.Length < sizeof(int) + NetlinkRequest.HeaderLength)
        {
            throw new NetlinkException($"A netlink error has {payload.Length} octets.");
        }

        int error = BinaryPrimitives.ReadInt32LittleEndian(payload);
        if (error == 0)
        {
            return;
        }

        if (error is > 0 or < -MaxErrno)
        {
            throw new NetlinkException($"A netlink error has the number {error}.");
        }

        throw new LinuxException(Text(payload, flags) is { Length: > 0 } text ? $"{call} ({text})" : call, -error);
    }

    private static string Text(ReadOnlySpan<byte> payload, ushort flags)
    {
        if ((flags & FlagAttributes) == 0)
        {
            return "";
        }

        uint repeated = (flags & FlagCapped) != 0 ? NetlinkRequest.HeaderLength : BinaryPrimitives.ReadUInt32LittleEndian(payload[sizeof(int)..]);
        if (repeated > (uint)(payload.Length - sizeof(int)))
        {
            throw new NetlinkException($"A netlink error repeats {repeated} octets of {payload.Length}.");
        }

        var attributes = new NetlinkAttributes(payload[Math.Min(payload.Length, sizeof(int) + NetlinkAttributes.Align((int)repeated))..]);
        while (attributes.MoveNext())
        {
            if (attributes.Type == TextAttribute)
            {
                return attributes.Name();
            }
        }

        return "";
    }
}
