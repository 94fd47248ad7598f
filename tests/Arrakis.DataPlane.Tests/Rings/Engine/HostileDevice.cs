using Arrakis.DataPlane.Memory;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Tests.Rings.Engine;

/// <summary>Writes what a device must not, wherever a device can.</summary>
internal sealed class HostileDevice(RingBed bed, Random random)
{
    private static readonly uint[] s_lengths = [0, 1, 11, 12, 13, RingBed.ReceiveCapacity, RingBed.ReceiveCapacity + 1, RingBed.BufferSize, 65535, int.MaxValue, uint.MaxValue - 1, uint.MaxValue];

    /// <summary>Writes once.</summary>
    public void Write()
    {
        RingLayout ring = bed.Queues[random.Next(2)].Ring;
        switch (random.Next(8))
        {
            case 0:
                Anywhere(ring.DescriptorArea, ring.DescriptorAreaLength);
                break;
            case 1:
                Anywhere(ring.DeviceArea, ring.DeviceAreaLength);
                break;
            case 2:
                Anywhere(ring.DriverArea, ring.DriverAreaLength);
                break;
            case 3:
                Header();
                break;
            case 4 or 5 when ring.Format == RingFormat.Split:
                Span<byte> index = bed.Bytes(ring.DeviceArea + SplitFormat.IndexOffset, sizeof(ushort));
                BitConverter.TryWriteBytes(index, (ushort)(BitConverter.ToUInt16(index) + random.Next(-1, 4)));
                break;
            case 6 when ring.Format == RingFormat.Split:
                Used(ring);
                break;
            default:
                if (ring.Format == RingFormat.Split)
                {
                    Used(ring);
                }
                else
                {
                    Packed(ring);
                }

                break;
        }
    }

    private void Anywhere(long offset, long length)
    {
        Span<byte> bytes = stackalloc byte[random.Next(1, 9)];
        random.NextBytes(bytes);
        long at = offset + random.NextInt64(Math.Max(length - bytes.Length, 0) + 1);
        bytes[..(int)Math.Min(bytes.Length, length)].CopyTo(bed.Bytes(at, (int)Math.Min(bytes.Length, length)));
    }

    private void Header()
    {
        long buffer = bed.Memory.BufferOffset + (long)random.Next(bed.Pool.Count) * RingBed.BufferSize;
        Span<byte> header = bed.Bytes(buffer + BufferLayout.HeaderOffset, VirtioNetHeader.Length);
        random.NextBytes(header);
        int count = random.Next(4) switch { 0 => 0, 1 => random.Next(1, 5), 2 => random.Next(60, 70), _ => ushort.MaxValue };
        BitConverter.TryWriteBytes(header[VirtioNetHeader.BufferCountOffset..], (ushort)count);
    }

    private uint Id() => random.Next(8) == 0 ? (uint)random.Next(-2, 1 << 20) : (uint)random.Next(bed.Size + 1);

    private uint Length() => random.Next(3) == 0 ? s_lengths[random.Next(s_lengths.Length)] : (uint)random.Next(12, RingBed.ReceiveCapacity + 1);

    private void Used(RingLayout ring)
    {
        Span<byte> entry = bed.Bytes(ring.DeviceArea + SplitFormat.EntriesOffset + random.Next(bed.Size) * SplitFormat.UsedEntrySize, SplitFormat.UsedEntrySize);
        BitConverter.TryWriteBytes(entry, Id());
        BitConverter.TryWriteBytes(entry[sizeof(uint)..], Length());
    }

    private void Packed(RingLayout ring)
    {
        Span<byte> descriptor = bed.Bytes(ring.DescriptorArea + random.Next(bed.Size) * PackedFormat.DescriptorSize, PackedFormat.DescriptorSize);
        BitConverter.TryWriteBytes(descriptor[PackedFormat.DescriptorLengthOffset..], Length());
        BitConverter.TryWriteBytes(descriptor[PackedFormat.DescriptorIdOffset..], (ushort)Id());
        BitConverter.TryWriteBytes(
            descriptor[PackedFormat.DescriptorFlagsOffset..],
            random.Next(2) == 0 ? (ushort)0 : (ushort)(DescriptorFlags.Available | DescriptorFlags.Used));
    }
}
