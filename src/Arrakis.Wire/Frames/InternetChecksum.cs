using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Arrakis.Wire.Frames;

/// <summary>The ones' complement checksum of IPv4, ICMP and UDP (RFC 1071).</summary>
public static class InternetChecksum
{
    private const int VectorThreshold = 128; // Below, the call and the sum over the lanes cost what the vectors spare.

    /// <summary>
    /// Adds <paramref name="data"/> to a running sum. The sum is kept in the machine's byte order (RFC 1071 §2(B):
    /// the result is the same, byte-swapped), so that no word is swapped on the way.
    /// </summary>
    /// <remarks>Only the last piece of a message may have an odd length.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Add(ulong sum, ReadOnlySpan<byte> data)
    {
        if (Vector256.IsHardwareAccelerated && data.Length >= VectorThreshold)
        {
            sum = AddWithCarry(sum, AddVectors(data, out int done));
            data = data[done..];
        }

        foreach (ulong word in MemoryMarshal.Cast<byte, ulong>(data))
        {
            sum += word;
            sum += sum < word ? 1UL : 0UL;
        }

        ReadOnlySpan<byte> rest = data[(data.Length & ~7)..];
        if (rest.Length >= 4)
        {
            sum = AddWithCarry(sum, MemoryMarshal.Read<uint>(rest));
            rest = rest[4..];
        }

        if (rest.Length >= 2)
        {
            sum = AddWithCarry(sum, MemoryMarshal.Read<ushort>(rest));
            rest = rest[2..];
        }

        if (rest.Length == 1)
        {
            sum = AddWithCarry(sum, BitConverter.IsLittleEndian ? rest[0] : (ulong)rest[0] << 8);
        }

        return sum;
    }

    /// <summary>Adds a 16-bit number given in host order, as a pseudo header's protocol or length.</summary>
    public static ulong AddNumber(ulong sum, ushort number) =>
        AddWithCarry(sum, BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(number) : number);

    /// <summary>Folds a sum and complements it: the value for the checksum field, as a host-order number to be written big-endian.</summary>
    public static ushort Finish(ulong sum)
    {
        sum = (sum & 0xFFFF_FFFF) + (sum >> 32);
        sum = (sum & 0xFFFF_FFFF) + (sum >> 32);
        uint folded = (uint)sum;
        folded = (folded & 0xFFFF) + (folded >> 16);
        folded = (folded & 0xFFFF) + (folded >> 16);
        ushort complement = (ushort)~folded;
        return BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(complement) : complement;
    }

    /// <summary>The checksum of one piece of data.</summary>
    public static ushort Compute(ReadOnlySpan<byte> data) => Finish(Add(0, data));

    /// <summary>The sum of the UDP pseudo header (RFC 768).</summary>
    public static ulong PseudoHeader(Ipv4Address source, Ipv4Address destination, byte protocol, ushort length)
    {
        ulong addresses = (ulong)Swap(source.Value) + Swap(destination.Value);
        return AddNumber(AddNumber(addresses, protocol), length);
    }

    // The sum of the 32-bit words, which is the same one's complement sum (RFC 1071 §2(C)): each lane has 32 bits for the
    // carries of as many words, more than any memory has.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ulong AddVectors(ReadOnlySpan<byte> data, out int done)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            ReadOnlySpan<Vector512<ulong>> wide = MemoryMarshal.Cast<byte, Vector512<ulong>>(data);
            Vector512<ulong> low = Vector512<ulong>.Zero;
            Vector512<ulong> high = Vector512<ulong>.Zero;
            foreach (Vector512<ulong> words in wide)
            {
                low += words & Vector512.Create(0xFFFF_FFFFUL);
                high += words >> 32;
            }

            done = wide.Length * Vector512<byte>.Count;
            return Vector512.Sum(low + high);
        }

        ReadOnlySpan<Vector256<ulong>> vectors = MemoryMarshal.Cast<byte, Vector256<ulong>>(data);
        Vector256<ulong> lower = Vector256<ulong>.Zero;
        Vector256<ulong> upper = Vector256<ulong>.Zero;
        foreach (Vector256<ulong> words in vectors)
        {
            lower += words & Vector256.Create(0xFFFF_FFFFUL);
            upper += words >> 32;
        }

        done = vectors.Length * Vector256<byte>.Count;
        return Vector256.Sum(lower + upper);
    }

    private static uint Swap(uint value) => BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(value) : value;

    private static ulong AddWithCarry(ulong sum, ulong word)
    {
        sum += word;
        return sum + (sum < word ? 1UL : 0UL);
    }
}
