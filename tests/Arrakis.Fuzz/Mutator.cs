using System.Buffers.Binary;

namespace Arrakis.Fuzz;

/// <summary>Makes new inputs out of known ones. The same seed gives the same inputs.</summary>
internal sealed class Mutator(int seed, IReadOnlyList<byte[]> corpus)
{
    private const int MaxLength = 4096;

    private static readonly ulong[] _interesting =
    [
        0, 1, 2, 7, 8, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x1_0000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF,
        0x1_0000_0000, 0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, 0xFFFF_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_F000,
    ];

    private readonly Random _random = new(seed);

    /// <summary>The next input.</summary>
    public byte[] Next()
    {
        if (_random.Next(20) == 0)
        {
            byte[] noise = new byte[_random.Next(300)];
            _random.NextBytes(noise);
            return noise;
        }

        List<byte> input = [.. corpus[_random.Next(corpus.Count)]];
        int changes = 1 << _random.Next(5);
        for (int i = 0; i < changes; i++)
        {
            Change(input);
        }

        return [.. input];
    }

    private void Change(List<byte> input)
    {
        if (input.Count == 0)
        {
            input.Add((byte)_random.Next(256));
            return;
        }

        int at = _random.Next(input.Count);
        switch (_random.Next(8))
        {
            case 0:
                input[at] ^= (byte)(1 << _random.Next(8));
                break;
            case 1:
                input[at] = (byte)_random.Next(256);
                break;
            case 2:
                input[at] = (byte)(input[at] + _random.Next(-4, 5));
                break;
            case 3:
                Overwrite(input, at, Number());
                break;
            case 4:
                input.RemoveRange(at, Math.Min(input.Count - at, 1 + _random.Next(16)));
                break;
            case 5 when input.Count < MaxLength:
                input.InsertRange(at, Number());
                break;
            case 6 when input.Count < MaxLength:
                input.InsertRange(at, input.GetRange(at, Math.Min(input.Count - at, 1 + _random.Next(64))));
                break;
            default:
                Splice(input, at);
                break;
        }
    }

    private void Splice(List<byte> input, int at)
    {
        byte[] other = corpus[_random.Next(corpus.Count)];
        input.RemoveRange(at, input.Count - at);
        input.AddRange(other.AsSpan(Math.Min(at, other.Length)));
    }

    private byte[] Number()
    {
        ulong value = _interesting[_random.Next(_interesting.Length)];
        byte[] number = new byte[1 << _random.Next(4)];
        Span<byte> whole = stackalloc byte[8];
        if (_random.Next(2) == 0)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(whole, value);
            whole[..number.Length].CopyTo(number);
        }
        else
        {
            BinaryPrimitives.WriteUInt64BigEndian(whole, value);
            whole[^number.Length..].CopyTo(number);
        }

        return number;
    }

    private static void Overwrite(List<byte> input, int at, byte[] bytes)
    {
        for (int i = 0; i < bytes.Length && at + i < input.Count; i++)
        {
            input[at + i] = bytes[i];
        }
    }
}
