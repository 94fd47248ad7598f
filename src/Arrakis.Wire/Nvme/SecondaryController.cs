using System.Buffers.Binary;

namespace Arrakis.Wire.Nvme;

/// <summary>A controller that gets its resources from a primary one: that of an SR-IOV virtual function (NVMe 2.0 §8.26, Identify with CNS 15h).</summary>
/// <param name="ControllerId">SCID.</param>
/// <param name="PrimaryId">PCID.</param>
/// <param name="IsOnline">SCS bit 0.</param>
/// <param name="FunctionNumber">VFN: the virtual function, from 1 on; 0 where it is none's at present.</param>
/// <param name="Queues">NVQ: flexible queue resources; one is the admin queue's.</param>
/// <param name="Interrupts">NVI: flexible interrupt resources.</param>
public readonly record struct SecondaryController(ushort ControllerId, ushort PrimaryId, bool IsOnline, ushort FunctionNumber, ushort Queues, ushort Interrupts)
{
    private const int EntriesOffset = 32;
    private const int EntrySize = 32;

    /// <summary>Reads the list: no more entries than are in the structure, whatever its count says and whatever comes behind.</summary>
    public static IReadOnlyList<SecondaryController> ReadList(ReadOnlySpan<byte> source)
    {
        source = source[..Math.Min(source.Length, IdentifyController.Length)];
        List<SecondaryController> list = [];
        int count = source.IsEmpty ? 0 : source[0];
        for (int i = 0; i < count && EntriesOffset + (i + 1) * EntrySize <= source.Length; i++)
        {
            ReadOnlySpan<byte> entry = source.Slice(EntriesOffset + i * EntrySize, EntrySize);
            list.Add(new SecondaryController(
                BinaryPrimitives.ReadUInt16LittleEndian(entry),
                BinaryPrimitives.ReadUInt16LittleEndian(entry[2..]),
                (entry[4] & 1) != 0,
                BinaryPrimitives.ReadUInt16LittleEndian(entry[8..]),
                BinaryPrimitives.ReadUInt16LittleEndian(entry[10..]),
                BinaryPrimitives.ReadUInt16LittleEndian(entry[12..])));
        }

        return list;
    }
}
