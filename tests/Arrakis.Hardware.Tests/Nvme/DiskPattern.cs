using System.Buffers.Binary;

namespace Arrakis.Hardware.Tests.Nvme;

/// <summary>What is on a range of a disk: each eight bytes say where they are and which pattern they are of, so that a block at the wrong place is found.</summary>
/// <param name="Seed">Which pattern.</param>
/// <param name="Start">First byte.</param>
/// <param name="Length">Bytes.</param>
internal sealed record DiskPattern(uint Seed, long Start, long Length)
{
    /// <summary>Writes the bytes of a place on the disk.</summary>
    public void Fill(Span<byte> bytes, long offset)
    {
        for (int i = 0; i < bytes.Length; i += sizeof(ulong))
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes[i..], Word(offset + i));
        }
    }

    /// <summary>Fails where bytes are not those of a place on the disk.</summary>
    public void Check(ReadOnlySpan<byte> bytes, long offset)
    {
        for (int i = 0; i < bytes.Length; i += sizeof(ulong))
        {
            ulong found = BinaryPrimitives.ReadUInt64LittleEndian(bytes[i..]);
            Assert.True(found == Word(offset + i), $"Byte {offset + i} of the disk begins 0x{found:x16} and not 0x{Word(offset + i):x16}.");
        }
    }

    private ulong Word(long place) => (ulong)Seed << 40 ^ (ulong)place;
}
