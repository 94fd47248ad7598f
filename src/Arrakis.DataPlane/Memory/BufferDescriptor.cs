using System.Runtime.CompilerServices;

namespace Arrakis.DataPlane.Memory;

/// <summary>
/// A buffer on its way into a virtqueue. Two words, as a device has them, so that each is written and read as a whole: a load
/// of what was just stored in pieces would have to wait for them.
/// </summary>
internal readonly struct BufferDescriptor
{
    private const int IdShift = 32;
    private const int FlagsShift = 48;

    /// <summary>A buffer.</summary>
    /// <param name="address">The device's address of its first byte.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="id">The free descriptor that it takes; what the device gives back names it.</param>
    /// <param name="flags">NEXT where the buffer goes on in the descriptor that follows, WRITE where the device writes it, INDIRECT for a table.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public BufferDescriptor(Iova address, uint length, ushort id, ushort flags)
        : this(address, length | (ulong)id << IdShift | (ulong)flags << FlagsShift)
    {
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private BufferDescriptor(Iova address, ulong word)
    {
        Address = address;
        Word = word;
    }

    /// <summary>The device's address of its first byte.</summary>
    public Iova Address { get; }

    /// <summary>Length, id and flags from the low bits up: the second word of a packed descriptor (virtio 1.2 §2.8.13).</summary>
    public ulong Word { get; }

    /// <summary>Bytes.</summary>
    public uint Length => (uint)Word;

    /// <summary>The descriptor that it takes.</summary>
    public ushort Id => (ushort)(Word >> IdShift);

    /// <summary>NEXT, WRITE, INDIRECT.</summary>
    public ushort Flags => (ushort)(Word >> FlagsShift);

    /// <summary>Whether the buffer goes on in the descriptor that follows.</summary>
    public bool HasNext => (Word & (ulong)Wire.Virtio.DescriptorFlags.Next << FlagsShift) != 0;

    /// <summary>The second word of a split descriptor (§2.7.5): length, flags, and which descriptor is next.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong SplitWord(uint next) => (Word >> FlagsShift << IdShift) | (uint)Word | (ulong)next << FlagsShift;

    /// <summary>The same buffer with another id.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public BufferDescriptor WithId(ushort id) => new(Address, (Word & ~((ulong)ushort.MaxValue << IdShift)) | (ulong)id << IdShift);
}
