using Arrakis.Wire.Virtio;
using CsCheck;

namespace Arrakis.Wire.Tests.Virtio;

public sealed class VirtqueueLayoutTests
{
    private static readonly Gen<int> QueueSize = Gen.Int[1, 15].Select(exponent => 1 << exponent);
    private static readonly Gen<VirtqueueFormat> Format = Gen.OneOf(Gen.Const(VirtqueueFormat.Split), Gen.Const(VirtqueueFormat.Packed));

    [Fact]
    public void A_layout_keeps_its_parts_apart_in_order_and_aligned() =>
        Gen.Select(Format, Gen.Long[0, 1L << 40], QueueSize).Sample(
            (format, offset, size) =>
            {
                VirtqueueLayout ring = VirtqueueLayout.At(format, offset, size);
                return ring.Format == format
                    && ring.QueueSize == size
                    && ring.DescriptorArea >= offset
                    && ring.DescriptorArea - offset < VirtqueueLayout.PartAlignment
                    && ring.DriverArea >= ring.DescriptorArea + ring.DescriptorAreaLength
                    && ring.DeviceArea >= ring.DriverArea + ring.DriverAreaLength
                    && ring.End == ring.DeviceArea + ring.DeviceAreaLength
                    && (ring.DescriptorArea | ring.DriverArea | ring.DeviceArea) % VirtqueueLayout.PartAlignment == 0
                    && ring.FitsIn(ring.End)
                    && !ring.FitsIn(ring.End - 1);
            },
            seed: Seeds.Fixed);

    [Fact]
    public void Parts_have_the_sizes_of_the_specification()
    {
        VirtqueueLayout ring = VirtqueueLayout.At(VirtqueueFormat.Split, 0, 256);
        Assert.Equal(16 * 256, ring.DescriptorAreaLength);
        Assert.Equal(6 + 2 * 256, ring.DriverAreaLength);
        Assert.Equal(6 + 8 * 256, ring.DeviceAreaLength);
    }

    [Fact]
    public void Parts_of_a_packed_ring_have_the_sizes_of_the_specification()
    {
        VirtqueueLayout ring = VirtqueueLayout.At(VirtqueueFormat.Packed, 0, 256);
        Assert.Equal(16 * 256, ring.DescriptorAreaLength);
        Assert.Equal(4, ring.DriverAreaLength);
        Assert.Equal(4, ring.DeviceAreaLength);
    }

    [Fact]
    public void A_drivers_note_lies_between_the_areas_of_a_packed_ring()
    {
        VirtqueueLayout ring = VirtqueueLayout.At(VirtqueueFormat.Packed, 0, 2);
        Assert.InRange(PackedFormat.DriverNoteOffset, PackedFormat.EventSize, VirtqueueLayout.PartAlignment - sizeof(ushort));
        Assert.True(ring.DriverArea + PackedFormat.DriverNoteOffset + sizeof(ushort) <= ring.DeviceArea);
    }

    [Fact]
    public void An_unknown_format_does_not_fit() =>
        Assert.False((VirtqueueLayout.At(VirtqueueFormat.Split, 0, 4) with { Format = (VirtqueueFormat)2 }).FitsIn(long.MaxValue));

    [Theory]
    [InlineData(int.MinValue)]
    [InlineData(-2)]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(255)]
    [InlineData(65536)]
    [InlineData(int.MaxValue)]
    public void A_size_that_is_no_power_of_two_in_range_is_refused(int size)
    {
        Assert.False(VirtqueueLayout.IsValidQueueSize(size));
        Assert.Throws<ArgumentOutOfRangeException>(() => VirtqueueLayout.At(VirtqueueFormat.Split, 0, size));
        Assert.Throws<ArgumentOutOfRangeException>(() => VirtqueueLayout.At(VirtqueueFormat.Packed, 0, size));
        Assert.False(new VirtqueueLayout(VirtqueueFormat.Split, size, 0, 0, 0).FitsIn(long.MaxValue));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(long.MinValue)]
    [InlineData(long.MaxValue)]
    [InlineData(long.MaxValue - 100_000)]
    public void An_offset_that_no_memory_has_is_refused(long offset) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => VirtqueueLayout.At(VirtqueueFormat.Split, offset, 256));

    [Fact]
    public void Whatever_fits_lies_inside() =>
        Gen.Select(
            Format,
            Gen.OneOf(QueueSize, Gen.Int),
            Hostile(),
            Hostile(),
            Hostile(),
            Gen.Long[0, 1 << 22]).Sample(
            (format, size, table, available, used, length) =>
            {
                var ring = new VirtqueueLayout(format, size, table, available, used);
                if (!ring.FitsIn(length))
                {
                    return true;
                }

                return VirtqueueLayout.IsValidQueueSize(size)
                    && Inside(table, ring.DescriptorAreaLength, length)
                    && Inside(available, ring.DriverAreaLength, length)
                    && Inside(used, ring.DeviceAreaLength, length)
                    && ring.End <= length;
            },
            seed: Seeds.Fixed,
            iter: 50_000);

    [Fact]
    public void A_misaligned_part_does_not_fit()
    {
        VirtqueueLayout ring = VirtqueueLayout.At(VirtqueueFormat.Split, 0, 4);
        Assert.False((ring with { DescriptorArea = 8 }).FitsIn(4096));
        Assert.False((ring with { DriverArea = 65 }).FitsIn(4096));
        Assert.False((ring with { DeviceArea = 258 }).FitsIn(4096));
        VirtqueueLayout packed = VirtqueueLayout.At(VirtqueueFormat.Packed, 0, 4);
        Assert.True(packed.FitsIn(4096));
        Assert.False((packed with { DescriptorArea = 8 }).FitsIn(4096));
        Assert.False((packed with { DriverArea = 66 }).FitsIn(4096));
        Assert.False((packed with { DeviceArea = 258 }).FitsIn(4096));
    }

    private static Gen<long> Hostile() => Gen.OneOf(Gen.Long, Gen.Long[0, 1 << 22].Select(offset => offset & ~15L), Gen.OneOf(Gen.Const(0L), Gen.Const(-1L), Gen.Const(long.MaxValue), Gen.Const(long.MinValue), Gen.Const(long.MaxValue & ~15L)));

    private static bool Inside(long offset, long size, long length) =>
        offset >= 0 && (System.Int128)offset + size <= length;
}
