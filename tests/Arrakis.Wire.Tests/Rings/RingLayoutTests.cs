using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;
using CsCheck;

namespace Arrakis.Wire.Tests.Rings;

public sealed class RingLayoutTests
{
    private static readonly Gen<int> QueueSize = Gen.Int[1, 15].Select(exponent => 1 << exponent);
    private static readonly Gen<RingFormat> Format = Gen.OneOf(Gen.Const(RingFormat.Split), Gen.Const(RingFormat.Packed), Gen.Const(RingFormat.Igb), Gen.Const(RingFormat.Nvme));

    [Fact]
    public void A_layout_keeps_its_parts_apart_in_order_and_aligned() =>
        Gen.Select(Format, Gen.Long[0, 1L << 40], QueueSize).Sample(
            (format, offset, wanted) =>
            {
                int size = format == RingFormat.Igb ? Math.Clamp(wanted, RingLayout.MinIgbQueueSize, RingLayout.MaxIgbQueueSize) : wanted;
                int alignment = format == RingFormat.Nvme ? 4096 : RingLayout.PartAlignment;
                RingLayout ring = RingLayout.At(format, offset, size);
                return ring.Format == format
                    && ring.QueueSize == size
                    && ring.DescriptorArea >= offset
                    && ring.DescriptorArea - offset < alignment
                    && ring.DriverArea >= ring.DescriptorArea + ring.DescriptorAreaLength
                    && ring.DeviceArea >= ring.DriverArea + ring.DriverAreaLength
                    && ring.End == ring.DeviceArea + ring.DeviceAreaLength
                    && (ring.DescriptorArea | ring.DriverArea | ring.DeviceArea) % alignment == 0
                    && ring.FitsIn(ring.End)
                    && !ring.FitsIn(ring.End - 1);
            },
            seed: Seeds.Fixed);

    [Fact]
    public void Parts_have_the_sizes_of_the_specification()
    {
        RingLayout ring = RingLayout.At(RingFormat.Split, 0, 256);
        Assert.Equal(16 * 256, ring.DescriptorAreaLength);
        Assert.Equal(6 + 2 * 256, ring.DriverAreaLength);
        Assert.Equal(6 + 8 * 256, ring.DeviceAreaLength);
    }

    [Fact]
    public void Parts_of_a_packed_ring_have_the_sizes_of_the_specification()
    {
        RingLayout ring = RingLayout.At(RingFormat.Packed, 0, 256);
        Assert.Equal(16 * 256, ring.DescriptorAreaLength);
        Assert.Equal(4, ring.DriverAreaLength);
        Assert.Equal(4, ring.DeviceAreaLength);
    }

    [Theory]
    [InlineData(8)]
    [InlineData(4096)]
    public void An_82576_ring_is_its_descriptors_alone(int size)
    {
        RingLayout ring = RingLayout.At(RingFormat.Igb, 1, size);
        Assert.Equal(new RingLayout(RingFormat.Igb, size, 128, 128 + 16 * size, 128 + 16 * size), ring);
        Assert.Equal((16 * size, 0L, 0L), (ring.DescriptorAreaLength, ring.DriverAreaLength, ring.DeviceAreaLength));
        Assert.Equal(128 + 16 * size, ring.End);
        Assert.True(ring.FitsIn(ring.End));
        Assert.False(ring.FitsIn(ring.End - 1));
        Assert.False((ring with { DescriptorArea = 64 }).FitsIn(1 << 20)); // RDBAL: 128-byte aligned.
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(12)]
    [InlineData(8192)]
    [InlineData(32768)]
    public void A_size_that_no_82576_ring_has_is_refused(int size)
    {
        Assert.False(RingLayout.IsValidQueueSize(RingFormat.Igb, size));
        Assert.Throws<ArgumentOutOfRangeException>(() => RingLayout.At(RingFormat.Igb, 0, size));
        Assert.False(new RingLayout(RingFormat.Igb, size, 0, 1 << 20, 1 << 20).FitsIn(long.MaxValue));
    }

    [Theory]
    [InlineData(2, 4096, 4096)]
    [InlineData(256, 16384, 4096)]
    [InlineData(65536, 4194304, 1048576)]
    public void An_NVMe_queue_pair_is_two_queues_from_a_page_on(int size, long submission, long completion)
    {
        RingLayout ring = RingLayout.At(RingFormat.Nvme, 1, size);
        Assert.Equal(new RingLayout(RingFormat.Nvme, size, 4096, 4096 + submission, 4096 + submission), ring);
        Assert.Equal((64L * size, 0L, 16L * size), (ring.DescriptorAreaLength, ring.DriverAreaLength, ring.DeviceAreaLength));
        Assert.True(ring.FitsIn(4096 + submission + completion));
        Assert.False(ring.FitsIn(ring.End - 1));
        Assert.False((ring with { DescriptorArea = 2048 }).FitsIn(long.MaxValue));
        Assert.False((ring with { DeviceArea = ring.DeviceArea + 64 }).FitsIn(long.MaxValue));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(131072)]
    public void A_size_that_no_NVMe_queue_has_is_refused(int size)
    {
        Assert.False(RingLayout.IsValidQueueSize(RingFormat.Nvme, size));
        Assert.Throws<ArgumentOutOfRangeException>(() => RingLayout.At(RingFormat.Nvme, 0, size));
        Assert.False(new RingLayout(RingFormat.Nvme, size, 0, 1 << 24, 1 << 24).FitsIn(long.MaxValue));
    }

    [Fact]
    public void A_drivers_note_lies_between_the_areas_of_a_packed_ring()
    {
        RingLayout ring = RingLayout.At(RingFormat.Packed, 0, 2);
        Assert.InRange(PackedFormat.DriverNoteOffset, PackedFormat.EventSize, RingLayout.PartAlignment - sizeof(ushort));
        Assert.True(ring.DriverArea + PackedFormat.DriverNoteOffset + sizeof(ushort) <= ring.DeviceArea);
    }

    [Fact]
    public void An_unknown_format_does_not_fit() =>
        Assert.False((RingLayout.At(RingFormat.Split, 0, 4) with { Format = (RingFormat)3 }).FitsIn(long.MaxValue));

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
        Assert.False(RingLayout.IsValidQueueSize(size));
        Assert.Throws<ArgumentOutOfRangeException>(() => RingLayout.At(RingFormat.Split, 0, size));
        Assert.Throws<ArgumentOutOfRangeException>(() => RingLayout.At(RingFormat.Packed, 0, size));
        Assert.False(new RingLayout(RingFormat.Split, size, 0, 0, 0).FitsIn(long.MaxValue));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(long.MinValue)]
    [InlineData(long.MaxValue)]
    [InlineData(long.MaxValue - 100_000)]
    public void An_offset_that_no_memory_has_is_refused(long offset) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => RingLayout.At(RingFormat.Split, offset, 256));

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
                var ring = new RingLayout(format, size, table, available, used);
                if (!ring.FitsIn(length))
                {
                    return true;
                }

                return RingLayout.IsValidQueueSize(format, size)
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
        RingLayout ring = RingLayout.At(RingFormat.Split, 0, 4);
        Assert.False((ring with { DescriptorArea = 8 }).FitsIn(4096));
        Assert.False((ring with { DriverArea = 65 }).FitsIn(4096));
        Assert.False((ring with { DeviceArea = 258 }).FitsIn(4096));
        RingLayout packed = RingLayout.At(RingFormat.Packed, 0, 4);
        Assert.True(packed.FitsIn(4096));
        Assert.False((packed with { DescriptorArea = 8 }).FitsIn(4096));
        Assert.False((packed with { DriverArea = 66 }).FitsIn(4096));
        Assert.False((packed with { DeviceArea = 258 }).FitsIn(4096));
    }

    private static Gen<long> Hostile() => Gen.OneOf(Gen.Long, Gen.Long[0, 1 << 22].Select(offset => offset & ~15L), Gen.OneOf(Gen.Const(0L), Gen.Const(-1L), Gen.Const(long.MaxValue), Gen.Const(long.MinValue), Gen.Const(long.MaxValue & ~15L)));

    private static bool Inside(long offset, long size, long length) =>
        offset >= 0 && (System.Int128)offset + size <= length;
}
