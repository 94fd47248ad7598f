using System.Runtime.InteropServices;

namespace Arrakis.SystemApp.Transfer;

/// <summary>Bytes that look random and can be had from any place on, so that a part can be sent again without being kept.</summary>
internal sealed class ByteStream(ulong seed)
{
    /// <summary>Writes the stream's bytes from an offset on, a multiple of eight.</summary>
    public void Read(long offset, Span<byte> into)
    {
        ulong word = (ulong)offset / sizeof(ulong);
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(into);
        for (int i = 0; i < words.Length; i++)
        {
            words[i] = Mix(seed + word++);
        }

        Span<byte> rest = into[(words.Length * sizeof(ulong))..];
        ulong last = Mix(seed + word);
        for (int i = 0; i < rest.Length; i++)
        {
            rest[i] = (byte)(last >> (8 * i));
        }
    }

    // The output function of SplitMix64 (Steele, Lea and Flood, 2014).
    private static ulong Mix(ulong counter)
    {
        ulong z = counter * 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
