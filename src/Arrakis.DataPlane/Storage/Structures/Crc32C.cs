using System.Numerics;
using System.Runtime.InteropServices;

namespace Arrakis.DataPlane.Storage;

/// <summary>CRC-32C (Castagnoli, RFC 3720 §12.1) by the processor's instruction, three at a time: its latency is three cycles, and one starts each cycle.</summary>
internal static class Crc32C
{
    private const int LaneWords = 32;
    private const int LaneBytes = LaneWords * sizeof(ulong);

    // A sum moved over a lane of zeros, a table for each of its bytes: the move is linear.
    private static readonly uint[][] s_overLane = MakeTables();

    /// <summary>The sum of some bytes.</summary>
    public static uint Of(ReadOnlySpan<byte> bytes)
    {
        uint sum = uint.MaxValue;
        while (bytes.Length >= 3 * LaneBytes)
        {
            sum = ThreeLanes(sum, MemoryMarshal.Cast<byte, ulong>(bytes[..(3 * LaneBytes)]));
            bytes = bytes[(3 * LaneBytes)..];
        }

        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (ulong word in words)
        {
            sum = BitOperations.Crc32C(sum, word);
        }

        foreach (byte last in bytes[(words.Length * sizeof(ulong))..])
        {
            sum = BitOperations.Crc32C(sum, last);
        }

        return ~sum;
    }

    private static uint ThreeLanes(uint sum, ReadOnlySpan<ulong> words)
    {
        ReadOnlySpan<ulong> first = words[..LaneWords];
        ReadOnlySpan<ulong> second = words.Slice(LaneWords, LaneWords);
        ReadOnlySpan<ulong> third = words.Slice(2 * LaneWords, LaneWords);
        uint a = sum;
        uint b = 0;
        uint c = 0;
        for (int i = 0; i < first.Length && i < second.Length && i < third.Length; i++)
        {
            a = BitOperations.Crc32C(a, first[i]);
            b = BitOperations.Crc32C(b, second[i]);
            c = BitOperations.Crc32C(c, third[i]);
        }

        return OverLane(OverLane(a) ^ b) ^ c;
    }

    private static uint OverLane(uint sum)
    {
        uint[][] tables = s_overLane;
        return tables[0][(byte)sum] ^ tables[1][(byte)(sum >> 8)] ^ tables[2][(byte)(sum >> 16)] ^ tables[3][sum >> 24];
    }

    private static uint[][] MakeTables()
    {
        uint[][] tables = new uint[sizeof(uint)][];
        for (int i = 0; i < tables.Length; i++)
        {
            tables[i] = new uint[256];
            for (uint value = 0; value < 256; value++)
            {
                uint sum = value << (8 * i);
                for (int word = 0; word < LaneWords; word++)
                {
                    sum = BitOperations.Crc32C(sum, 0UL);
                }

                tables[i][value] = sum;
            }
        }

        return tables;
    }
}
