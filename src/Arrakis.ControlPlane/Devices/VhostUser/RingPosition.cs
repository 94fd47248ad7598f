using System.Buffers.Binary;
using Arrakis.Contract;
using Arrakis.Native.Memory;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.ControlPlane.Devices.VhostUser;

/// <summary>
/// Where a device has to go on in a ring, as SET_VRING_BASE says it: the ring itself tells. The holder can write all of this;
/// what it writes wrongly it does to its own link only.
/// </summary>
internal static class RingPosition
{
    /// <summary>Reads it.</summary>
    /// <exception cref="ArrakisException">The holder has truncated the memory.</exception>
    internal static ushort Read(MemoryFile memory, RingLayout ring, VirtioFeatures features) =>
        ring.Format == RingFormat.Packed
            ? ReadPacked(memory, ring, (features & VirtioFeatures.InOrder) != 0)
            : ReadNumber(memory, ring.DeviceArea + SplitFormat.IndexOffset);

    // From the descriptor that the driver expects to be used next, past those that are used already (virtio 1.2 §2.8.1).
    private static ushort ReadPacked(MemoryFile memory, RingLayout ring, bool inOrder)
    {
        ushort note = ReadNumber(memory, ring.DriverArea + PackedFormat.DriverNoteOffset);
        int mask = ring.QueueSize - 1;
        int at = note & mask;
        bool wrap = (note & PackedFormat.WrapBit) == 0;
        for (int seen = 0; seen < ring.QueueSize; seen++)
        {
            long descriptor = ring.DescriptorArea + (long)at * PackedFormat.DescriptorSize;
            ushort flags = ReadNumber(memory, descriptor + PackedFormat.DescriptorFlagsOffset);
            bool available = (flags & DescriptorFlags.Available) != 0;
            bool used = (flags & DescriptorFlags.Used) != 0;
            if (available != wrap || used != wrap)
            {
                break;
            }

            // In order, one used descriptor may stand for several, and names the last (§2.8.9).
            int last = inOrder ? ReadNumber(memory, descriptor + PackedFormat.DescriptorIdOffset) & mask : at;
            int next = last + 1 & mask;
            wrap ^= next <= at;
            at = next;
        }

        return (ushort)(at | (wrap ? PackedFormat.WrapBit : 0));
    }

    private static ushort ReadNumber(MemoryFile memory, long offset)
    {
        Span<byte> number = stackalloc byte[sizeof(ushort)];
        return memory.Read(number, offset) == number.Length
            ? BinaryPrimitives.ReadUInt16LittleEndian(number)
            : throw new ArrakisException(ErrorCode.MemoryExhausted, "The holder has truncated its queue memory.", "Release the binding and bind again.");
    }
}
