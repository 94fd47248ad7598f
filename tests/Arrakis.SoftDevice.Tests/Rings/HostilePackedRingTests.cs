using Arrakis.SoftDevice.Memory;
using Arrakis.SoftDevice.Rings;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;
using CsCheck;

namespace Arrakis.SoftDevice.Tests.Rings;

public sealed class HostilePackedRingTests
{
    private const ushort Next = DescriptorFlags.Next;
    private const ushort Write = DescriptorFlags.Write;
    private const ushort Indirect = DescriptorFlags.Indirect;
    private const VirtioFeatures Features = VirtioFeatures.RingPacked | VirtioFeatures.RingIndirectDescriptors;

    [Theory]
    [InlineData(2)]
    [InlineData(256)]
    [InlineData(32768)]
    public void A_chain_without_an_end_kills_the_ring(int size)
    {
        PackedDriverRing driver = PackedDriverRing.Create(size, 64, out QueueMemory memory);
        using (memory)
        {
            AssertRead(driver, size, Next, RingFault.ChainTooLong);
            AssertWrite(driver, size, Next | Write, RingFault.ChainTooLong);
        }
    }

    [Theory]
    [InlineData(0UL, 64u)]
    [InlineData(QueueMemory.IovaBase - 1, 64u)]
    [InlineData(QueueMemory.IovaBase, uint.MaxValue)]
    [InlineData(ulong.MaxValue, 1u)]
    [InlineData(ulong.MaxValue - 10, uint.MaxValue)]
    public void A_buffer_outside_the_memory_kills_the_ring(ulong address, uint length)
    {
        PackedDriverRing driver = PackedDriverRing.Create(8, 64, out QueueMemory memory);
        using (memory)
        {
            foreach (ushort flags in (ushort[])[0, Indirect])
            {
                driver.WriteDescriptor(0, address, length & ~(flags == Indirect ? 15u : 0), 0, driver.AvailableFlags(flags));
                PackedDeviceRing device = driver.AttachDevice(Features);
                RingRead read = device.TryRead(12, new byte[64], out _);
                Assert.Equal(RingRead.Broken, read);
                Assert.True(device.Fault is RingFault.BufferOutsideMemory or RingFault.IndirectTableInvalid);
                Assert.Equal(RingRead.Broken, device.TryRead(12, new byte[64], out _));
            }
        }
    }

    [Fact]
    public void A_wrong_direction_kills_the_ring()
    {
        PackedDriverRing driver = PackedDriverRing.Create(8, 64, out QueueMemory memory);
        using (memory)
        {
            AssertRead(driver, 1, Write, RingFault.BufferNotReadable);
            AssertWrite(driver, 1, 0, RingFault.BufferNotWritable);
        }
    }

    [Theory]
    [InlineData(RingFormat.Split, 0u, (ushort)0, RingFault.IndirectTableInvalid)] // empty
    [InlineData(RingFormat.Split, 24u, (ushort)0, RingFault.IndirectTableInvalid)] // a descriptor and a half
    [InlineData(RingFormat.Split, 16u, Next, RingFault.IndirectTableInvalid)] // goes on after the table
    [InlineData(RingFormat.Packed, 0u, (ushort)0, RingFault.IndirectTableInvalid)]
    [InlineData(RingFormat.Packed, 24u, (ushort)0, RingFault.IndirectTableInvalid)]
    [InlineData(RingFormat.Packed, 16u, Next, RingFault.IndirectTableInvalid)]
    [InlineData(RingFormat.Packed, 257u * 16, (ushort)0, RingFault.ChainTooLong)]
    public void A_table_of_a_wrong_size_or_in_a_wrong_place_kills_the_ring(RingFormat format, uint length, ushort flags, RingFault expected)
    {
        AssertTable(format, table => Fill(table, 0), length, (ushort)(Indirect | flags), expected);
    }

    [Theory]
    [InlineData(RingFormat.Split)]
    [InlineData(RingFormat.Packed)]
    public void A_table_in_a_table_kills_the_ring(RingFormat format) =>
        AssertTable(format, table => Fill(table, Indirect), 64, Indirect, RingFault.IndirectNested);

    [Fact]
    public void A_table_that_loops_or_links_outside_of_itself_kills_the_ring()
    {
        AssertTable(RingFormat.Split, table => Fill(table, Next), 64, Indirect, RingFault.ChainTooLong);
        AssertTable(
            RingFormat.Split,
            table =>
            {
                Fill(table, Next);
                table[14] = 4;
            },
            64,
            Indirect,
            RingFault.DescriptorIndexOutOfRange);
    }

    [Theory]
    [InlineData(RingFormat.Split)]
    [InlineData(RingFormat.Packed)]
    public void A_table_that_was_not_negotiated_kills_the_ring(RingFormat format)
    {
        IDriverRing driver = IDriverRing.Create(format, 8, 64, 0, out QueueMemory memory);
        using (memory)
        {
            DeviceRing device = driver.Attach(VirtioFeatures.None);
            Assert.True(driver.TrySendIndirect(new byte[20], 1));
            Assert.Equal(RingRead.Broken, device.TryRead(12, new byte[64], out _));
            Assert.Equal(RingFault.IndirectNotNegotiated, device.Fault);
        }
    }

    [Theory]
    [InlineData(RingFormat.Split)]
    [InlineData(RingFormat.Packed)]
    public void A_frame_over_more_buffers_than_the_device_walks_takes_none(RingFormat format)
    {
        IDriverRing driver = IDriverRing.Create(format, 1024, 64, 0, out QueueMemory memory);
        using (memory)
        {
            DeviceRing device = driver.Attach(VirtioFeatures.NetMergeableReceiveBuffers);
            while (driver.TryOffer(1, 12))
            {
            }

            Assert.Equal(RingWrite.TooSmall, device.TryWrite(new byte[12], new byte[12 * 256]));
            Assert.Equal(RingWrite.Done, device.TryWrite(new byte[12], new byte[12 * 255]));
            Assert.True(device.Publish());
        }
    }

    [Theory]
    [InlineData(0x8000, RingFault.None)]
    [InlineData(15, RingFault.None)]
    [InlineData(16, RingFault.BaseOutOfRange)]
    [InlineData(0xFFFF, RingFault.BaseOutOfRange)]
    public void A_place_outside_the_ring_is_no_base(int next, RingFault expected)
    {
        using var memory = new QueueMemory(65536);
        FrontEndAddress start = new(QueueMemory.FrontEndBase);
        Assert.Equal(expected, PackedDeviceRing.TryAttach(memory.Table, 16, start, start, start, (ushort)next, Features, out _));
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(QueueMemory.FrontEndBase + 2)]
    [InlineData(QueueMemory.FrontEndBase + 65534)]
    [InlineData(ulong.MaxValue)]
    public void A_ring_outside_the_memory_or_misaligned_is_not_attached(ulong address)
    {
        using var memory = new QueueMemory(65536);
        FrontEndAddress good = new(QueueMemory.FrontEndBase);
        FrontEndAddress bad = new(address);
        Assert.Equal(RingFault.DescriptorTableOutside, PackedDeviceRing.TryAttach(memory.Table, 256, bad, good, good, 0, Features, out _));
        Assert.Equal(RingFault.AvailableRingOutside, PackedDeviceRing.TryAttach(memory.Table, 256, good, bad, good, 0, Features, out _));
        Assert.Equal(RingFault.UsedRingOutside, PackedDeviceRing.TryAttach(memory.Table, 256, good, good, bad, 0, Features, out _));
        Assert.Equal(RingFault.SizeInvalid, PackedDeviceRing.TryAttach(memory.Table, 3, good, good, good, 0, Features, out _));
    }

    [Fact]
    public void A_ring_of_any_kind_ends_in_a_fault_or_a_frame_and_never_elsewhere()
    {
        Gen<ulong> address = Gen.OneOf(
            Gen.ULong,
            Gen.ULong[QueueMemory.IovaBase, QueueMemory.IovaBase + 70_000],
            Gen.ULong[QueueMemory.IovaBase, QueueMemory.IovaBase + 256], // the ring itself as table or buffer
            Gen.Const(QueueMemory.IovaBase - 1),
            Gen.Const(ulong.MaxValue));
        Gen<uint> length = Gen.OneOf(Gen.UInt, Gen.UInt[0, 2000], Gen.UInt[0, 20].Select(count => count * 16), Gen.Const(uint.MaxValue));
        Gen<ushort> flags = Gen.OneOf(Gen.UShort, Gen.UShort[0, 7].Select(low => (ushort)(low | DescriptorFlags.Available)));
        Gen.Select(Gen.Select(address, length, Gen.UShort, flags).Array[16], Gen.ULong[0, 15]).Sample(
            test =>
            {
                (var descriptors, ulong bits) = test;
                VirtioFeatures features = ((bits & 1) != 0 ? VirtioFeatures.InOrder : 0)
                    | ((bits & 2) != 0 ? VirtioFeatures.NetMergeableReceiveBuffers : 0)
                    | ((bits & 4) != 0 ? VirtioFeatures.RingIndirectDescriptors : 0)
                    | ((bits & 8) != 0 ? VirtioFeatures.RingEventIndex : 0);
                PackedDriverRing driver = PackedDriverRing.Create(16, 2048, out QueueMemory memory);
                using (memory)
                {
                    for (int i = 0; i < 16; i++)
                    {
                        driver.WriteDescriptor(i, descriptors[i].Item1, descriptors[i].Item2, descriptors[i].Item3, descriptors[i].Item4);
                    }

                    PackedDeviceRing transmit = driver.AttachDevice(features);
                    PackedDeviceRing receive = driver.AttachDevice(features);
                    byte[] frame = new byte[1514];
                    for (int i = 0; i < 20; i++)
                    {
                        RingRead read = transmit.TryRead(12, frame, out int bytes);
                        Assert.InRange(bytes, 0, frame.Length);
                        Assert.Equal(read == RingRead.Broken, transmit.Fault != RingFault.None);
                        if (read is RingRead.Frame or RingRead.TooLong or RingRead.TooShort)
                        {
                            transmit.Complete();
                        }

                        Assert.Equal(receive.TryWrite(new byte[12], frame) == RingWrite.Broken, receive.Fault != RingFault.None);
                        receive.OwnNext();
                        _ = transmit.Publish() && transmit.DriverWantsEvent;
                        _ = receive.Publish() && receive.DriverWantsEvent;
                    }
                }
            },
            seed: "0000KOIgTR2Y",
            iter: 3000);
    }

    private static void Fill(Span<byte> table, ushort flags)
    {
        for (int i = 0; i < table.Length / 16; i++)
        {
            Span<byte> entry = table[(i * 16)..];
            BitConverter.TryWriteBytes(entry, QueueMemory.IovaBase);
            BitConverter.TryWriteBytes(entry[8..], 1u);
            entry[12] = (byte)flags; // of a split table
            entry[14] = (byte)flags; // of a packed one, and the next of a split one, which then is inside the table
            entry[14] &= 3;
            entry[14] |= (byte)(flags & Indirect);
        }
    }

    private static void AssertTable(RingFormat format, SpanAction fill, uint length, ushort flags, RingFault expected)
    {
        IDriverRing driver = IDriverRing.Create(format, 8, 8192, 0, out QueueMemory memory);
        using (memory)
        {
            if (driver is DriverRing split)
            {
                fill(split.Buffer(0)[..(int)Math.Max(length, 64)]);
                split.WriteDescriptor(0, split.AddressOf(0), length, flags, 0);
                split.MakeAvailable(0);
            }
            else if (driver is PackedDriverRing packed)
            {
                fill(packed.Buffer(0)[..(int)Math.Max(length, 64)]);
                packed.WriteDescriptor(0, packed.AddressOf(0), length, 0, packed.AvailableFlags(flags));
            }

            DeviceRing device = driver is DriverRing ring ? ring.AttachDevice(0, Features) : driver.Attach(Features);
            Assert.Equal(RingRead.Broken, device.TryRead(12, new byte[64], out _));
            Assert.Equal(expected, device.Fault);
        }
    }

    private static void AssertRead(PackedDriverRing driver, int count, ushort flags, RingFault expected)
    {
        PackedDeviceRing device = Prepare(driver, count, flags);
        Assert.Equal(RingRead.Broken, device.TryRead(12, new byte[64], out _));
        Assert.Equal(expected, device.Fault);
    }

    private static void AssertWrite(PackedDriverRing driver, int count, ushort flags, RingFault expected)
    {
        PackedDeviceRing device = Prepare(driver, count, flags);
        Assert.Equal(RingWrite.Broken, device.TryWrite(new byte[12], new byte[30]));
        Assert.Equal(expected, device.Fault);
    }

    private static PackedDeviceRing Prepare(PackedDriverRing driver, int count, ushort flags)
    {
        for (int i = 0; i < count; i++)
        {
            driver.WriteDescriptor(i, driver.AddressOf(0), count == 1 ? 64u : 0, 0, driver.AvailableFlags(flags));
        }

        return driver.AttachDevice();
    }

    private delegate void SpanAction(Span<byte> span);
}
