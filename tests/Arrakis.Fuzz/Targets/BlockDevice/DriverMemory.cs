using System.Buffers.Binary;
using Arrakis.SoftDevice.Memory;
using Arrakis.SoftDevice.Rings;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.Fuzz.Targets.BlockDevice;

/// <summary>A descriptor, whatever format its ring has: its id or the next one's index come with its place.</summary>
/// <param name="Address">Where the buffer is.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Flags">Its flags.</param>
internal readonly record struct Descriptor(ulong Address, uint Length, ushort Flags);

/// <summary>A ring at the start of a driver's memory, and how the words of either format are written there.</summary>
internal sealed class DriverMemory(RingFormat format, GuardedMemory memory)
{
    /// <summary>Descriptors of the ring.</summary>
    public const int Size = 16;

    /// <summary>Where the ring is.</summary>
    public RingLayout Layout { get; } = RingLayout.At(format, 0, Size);

    /// <summary>Whether it is packed.</summary>
    public bool IsPacked => Layout.Format == RingFormat.Packed;

    /// <summary>What is shared.</summary>
    public GuardedMemory Memory => memory;

    /// <summary>The device's side of the ring; null where it cannot begin at <paramref name="next"/>.</summary>
    public DeviceRing? Attach(VirtioFeatures features, ushort next)
    {
        _ = DeviceRing.TryAttach(
            memory.Table, Size, At(Layout.DescriptorArea), At(Layout.DriverArea), At(Layout.DeviceArea), next, features, out DeviceRing? ring);
        return ring;

        static FrontEndAddress At(long offset) => new(GuardedMemory.FrontEnd + (ulong)offset);
    }

    /// <summary>Writes a descriptor of the ring, or of a table.</summary>
    /// <param name="at">Where in the memory.</param>
    /// <param name="descriptor">The descriptor.</param>
    /// <param name="link">The index of the next, or in a packed ring the id.</param>
    public void Write(int at, Descriptor descriptor, ushort link)
    {
        Span<byte> entry = memory.Bytes.Slice(at, SplitFormat.DescriptorSize);
        BinaryPrimitives.WriteUInt64LittleEndian(entry, descriptor.Address);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[SplitFormat.DescriptorLengthOffset..], descriptor.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(entry[(IsPacked ? PackedFormat.DescriptorFlagsOffset : SplitFormat.DescriptorFlagsOffset)..], descriptor.Flags);
        BinaryPrimitives.WriteUInt16LittleEndian(entry[(IsPacked ? PackedFormat.DescriptorIdOffset : SplitFormat.DescriptorNextOffset)..], link);
    }

    /// <summary>Reads two bytes.</summary>
    public ushort Short(long at) => BinaryPrimitives.ReadUInt16LittleEndian(memory.Bytes[(int)at..]);

    /// <summary>Reads four bytes.</summary>
    public uint Word(long at) => BinaryPrimitives.ReadUInt32LittleEndian(memory.Bytes[(int)at..]);

    /// <summary>Writes two bytes.</summary>
    public void Set(long at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(memory.Bytes[(int)at..], value);

    /// <summary>Makes the chain that begins with a descriptor available, in a split ring.</summary>
    public void MakeAvailable(ushort head)
    {
        ushort index = Short(Layout.DriverArea + SplitFormat.IndexOffset);
        Set(Layout.DriverArea + SplitFormat.EntriesOffset + index % Size * SplitFormat.AvailableEntrySize, head);
        Set(Layout.DriverArea + SplitFormat.IndexOffset, (ushort)(index + 1));
    }
}
