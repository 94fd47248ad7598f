using Arrakis.Wire.Frames;
using CsCheck;

namespace Arrakis.Wire.Tests.Frames;

public sealed class InternetChecksumTests
{
    [Fact]
    public void The_example_of_rfc_1071_comes_out() =>
        Assert.Equal(0x220D, InternetChecksum.Compute([0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7]));

    [Fact]
    public void It_equals_the_obvious_sum_at_every_length_and_alignment()
    {
        byte[] data = new byte[300];
        new Random(1).NextBytes(data);
        for (int start = 0; start < 16; start++)
        {
            for (int length = 0; length < 256; length++)
            {
                ReadOnlySpan<byte> piece = data.AsSpan(start, length);
                Assert.Equal(Obvious(piece), InternetChecksum.Compute(piece));
            }
        }
    }

    [Fact]
    public void It_equals_the_obvious_sum_of_random_and_of_carrying_data() =>
        Gen.OneOf(Gen.Byte.Array[0, 2000], Gen.OneOf(Gen.Const((byte)0), Gen.Const((byte)0xFF), Gen.Const((byte)0xFE)).Array[0, 2000]).Sample(
            data => InternetChecksum.Compute(data) == Obvious(data),
            seed: Seeds.Fixed,
            iter: 2000);

    [Fact]
    public void Pieces_of_even_length_add_up_to_the_whole() =>
        Gen.Select(Gen.Byte.Array[0, 500], Gen.Int[0, 250]).Sample(
            (data, half) =>
            {
                int cut = Math.Min(half * 2, data.Length & ~1);
                ulong sum = InternetChecksum.Add(InternetChecksum.Add(0, data.AsSpan(0, cut)), data.AsSpan(cut));
                return InternetChecksum.Finish(sum) == Obvious(data);
            },
            seed: Seeds.Fixed);

    [Fact]
    public void Any_running_sum_folds_without_losing_a_carry() =>
        Gen.Select(Gen.ULong, Gen.UShort).Sample(
            (sum, number) =>
            {
                Span<byte> octets = stackalloc byte[10];
                BitConverter.TryWriteBytes(octets, sum);
                octets[8] = (byte)(number >> 8);
                octets[9] = (byte)number;
                return InternetChecksum.Finish(InternetChecksum.AddNumber(sum, number)) == Obvious(octets);
            },
            seed: Seeds.Fixed);

    [Fact]
    public void The_pseudo_header_is_that_of_rfc_768() =>
        Gen.Select(Gen.UInt, Gen.UInt, Gen.Byte, Gen.UShort).Sample(
            (source, destination, protocol, length) =>
            {
                Span<byte> header = stackalloc byte[12];
                new Ipv4Address(source).Write(header);
                new Ipv4Address(destination).Write(header[4..]);
                header[8] = 0;
                header[9] = protocol;
                header[10] = (byte)(length >> 8);
                header[11] = (byte)length;
                return InternetChecksum.Finish(InternetChecksum.PseudoHeader(new(source), new(destination), protocol, length)) == Obvious(header);
            },
            seed: Seeds.Fixed);

    /// <summary>RFC 1071 §1, word by word.</summary>
    private static ushort Obvious(ReadOnlySpan<byte> data)
    {
        uint sum = 0;
        for (int i = 0; i < data.Length; i++)
        {
            sum += i % 2 == 0 ? (uint)data[i] << 8 : data[i];
            sum = (sum & 0xFFFF) + (sum >> 16);
        }

        return (ushort)~sum;
    }
}
