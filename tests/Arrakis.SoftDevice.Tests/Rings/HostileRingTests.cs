using Arrakis.SoftDevice.Memory;
using Arrakis.SoftDevice.Rings;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.Wire.Virtio;
using CsCheck;

namespace Arrakis.SoftDevice.Tests.Rings;

public sealed class HostileRingTests
{
    private const ushort Next = DescriptorFlags.Next;
    private const ushort Write = DescriptorFlags.Write;

    [Theory]
    [InlineData(2)]
    [InlineData(256)]
    [InlineData(32768)]
    public void A_chain_that_loops_kills_the_ring(int size)
    {
        DriverRing driver = DriverRing.Create(size, 64, out QueueMemory memory);
        using (memory)
        {
            for (int i = 0; i < size; i++)
            {
                driver.WriteDescriptor(i, driver.AddressOf(i), 0, Next, (ushort)((i + 1) % size));
            }

            AssertRead(driver, RingFault.ChainTooLong);
            for (int i = 0; i < size; i++)
            {
                driver.WriteDescriptor(i, driver.AddressOf(i), 0, Next | Write, (ushort)((i + 1) % size));
            }

            AssertWrite(driver, RingFault.ChainTooLong);
        }
    }

    [Theory]
    [InlineData(0UL, 64u)]
    [InlineData(QueueMemory.IovaBase - 1, 64u)]
    [InlineData(QueueMemory.IovaBase, uint.MaxValue)]
    [InlineData(ulong.MaxValue, 1u)]
    [InlineData(ulong.MaxValue - 10, uint.MaxValue)]
    [InlineData(QueueMemory.IovaBase + (1 << 30), 1u)]
    public void A_buffer_outside_the_memory_kills_the_ring(ulong address, uint length)
    {
        DriverRing driver = DriverRing.Create(8, 64, out QueueMemory memory);
        using (memory)
        {
            driver.WriteDescriptor(0, address, length, 0, 0);
            AssertRead(driver, RingFault.BufferOutsideMemory);
            driver.WriteDescriptor(0, address, length, Write, 0);
            AssertWrite(driver, RingFault.BufferOutsideMemory);
        }
    }

    [Fact]
    public void A_buffer_that_ends_past_the_memory_kills_the_ring()
    {
        DriverRing driver = DriverRing.Create(8, 64, out QueueMemory memory);
        using (memory)
        {
            ulong end = QueueMemory.IovaBase + (ulong)memory.Length;
            driver.WriteDescriptor(0, end - 63, 64, 0, 0);
            AssertRead(driver, RingFault.BufferOutsideMemory);
        }
    }

    [Fact]
    public void A_wrong_direction_or_an_indirect_table_kills_the_ring()
    {
        DriverRing driver = DriverRing.Create(8, 64, out QueueMemory memory);
        using (memory)
        {
            driver.WriteDescriptor(0, driver.AddressOf(0), 64, Write, 0);
            AssertRead(driver, RingFault.BufferNotReadable);
            driver.WriteDescriptor(0, driver.AddressOf(0), 64, 0, 0);
            AssertWrite(driver, RingFault.BufferNotWritable);
            driver.WriteDescriptor(0, driver.AddressOf(0), 64, DescriptorFlags.Indirect, 0);
            AssertRead(driver, RingFault.IndirectNotNegotiated);
            AssertWrite(driver, RingFault.IndirectNotNegotiated);
        }
    }

    [Fact]
    public void An_index_outside_the_ring_kills_the_ring()
    {
        DriverRing driver = DriverRing.Create(8, 64, out QueueMemory memory);
        using (memory)
        {
            SplitDeviceRing far = driver.AttachDevice();
            driver.AvailableIndex = 9;
            Assert.Equal(RingRead.Broken, far.TryRead(12, new byte[64], out _));
            Assert.Equal(RingFault.AvailableIndexOutOfRange, far.Fault);

            driver.StartAt(0);
            SplitDeviceRing head = driver.AttachDevice();
            driver.MakeAvailable(8);
            Assert.Equal(RingRead.Broken, head.TryRead(12, new byte[64], out _));
            Assert.Equal(RingFault.DescriptorIndexOutOfRange, head.Fault);

            driver.StartAt(0);
            SplitDeviceRing next = driver.AttachDevice();
            driver.WriteDescriptor(0, driver.AddressOf(0), 1, Next, 8);
            driver.MakeAvailable(0);
            Assert.Equal(RingRead.Broken, next.TryRead(12, new byte[64], out _));
            Assert.Equal(RingFault.DescriptorIndexOutOfRange, next.Fault);
        }
    }

    [Fact]
    public void A_dead_ring_stays_dead()
    {
        DriverRing driver = DriverRing.Create(8, 64, out QueueMemory memory);
        using (memory)
        {
            SplitDeviceRing device = driver.AttachDevice();
            driver.AvailableIndex = 100;
            Assert.Equal(RingRead.Broken, device.TryRead(12, new byte[64], out _));
            driver.AvailableIndex = 0;
            Assert.Equal(RingRead.Broken, device.TryRead(12, new byte[64], out _));
            Assert.Equal(RingWrite.Broken, device.TryWrite(new byte[12], new byte[60]));
        }
    }

    /// <summary>Garbage in the whole ring, biased towards values near the right ones: nothing outside the memory is touched (that would end the process).</summary>
    [Fact]
    public void Garbage_of_any_kind_ends_in_a_fault_or_a_frame_and_never_elsewhere()
    {
        Gen<ulong> address = Gen.OneOf(
            Gen.ULong,
            Gen.ULong[QueueMemory.IovaBase, QueueMemory.IovaBase + 70_000],
            Gen.Const(QueueMemory.IovaBase - 1),
            Gen.Const(ulong.MaxValue));
        Gen<uint> length = Gen.OneOf(Gen.UInt, Gen.UInt[0, 2000], Gen.Const(uint.MaxValue));
        Gen<ushort> index = Gen.OneOf(Gen.UShort, Gen.UShort[0, 16]);
        var gen = Gen.Select(Gen.Select(address, length, Gen.UShort[0, 7], index).Array[16], index.Array[16], index);
        gen.Sample(
            test =>
            {
                (var descriptors, ushort[] heads, ushort available) = test;
                DriverRing driver = DriverRing.Create(16, 2048, out QueueMemory memory);
                using (memory)
                {
                    SplitDeviceRing transmit = driver.AttachDevice();
                    SplitDeviceRing receive = driver.AttachDevice();
                    for (int i = 0; i < 16; i++)
                    {
                        driver.WriteDescriptor(i, descriptors[i].Item1, descriptors[i].Item2, descriptors[i].Item3, descriptors[i].Item4);
                        driver.MakeAvailable(heads[i]);
                    }

                    driver.AvailableIndex = available;
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
                    }

                    _ = transmit.Publish();
                    _ = receive.Publish();
                }
            },
            seed: "0000KOIgTR2Y",
            iter: 3000);
    }

    [Fact]
    public void A_truncated_memory_reads_as_zeros_and_is_told()
    {
        DriverRing driver = DriverRing.Create(256, 2048, out QueueMemory memory);
        using (memory)
        {
            SplitDeviceRing device = driver.AttachDevice();
            Assert.True(driver.TrySend(new byte[100]));
            memory.File.Truncate(0);
            Assert.NotEqual(RingRead.Frame, device.TryRead(12, new byte[64], out _));
            Assert.True(memory.Table.IsFaulted);
        }
    }

    [Fact]
    public void Addresses_are_translated_only_inside_one_region()
    {
        using var first = new QueueMemory(8192);
        using var second = new QueueMemory(8192);
        Gen.Select(Gen.ULong, Gen.ULong).Sample(
            test => AssertTranslation(first, test.Item1, test.Item2),
            seed: "0000KOIgTR2Y",
            iter: 10_000);
        Gen.Select(Gen.ULong[QueueMemory.IovaBase - 10, QueueMemory.IovaBase + 8200], Gen.ULong[0, 8200]).Sample(
            test => AssertTranslation(second, test.Item1, test.Item2),
            seed: "0000KOIgTR2Y",
            iter: 10_000);
    }

    private static unsafe void AssertTranslation(QueueMemory memory, ulong address, ulong length)
    {
        bool inside = address >= QueueMemory.IovaBase
            && address < QueueMemory.IovaBase + (ulong)memory.Length
            && (UInt128)address + length <= QueueMemory.IovaBase + (ulong)memory.Length;
        Assert.Equal(inside, memory.Table.Translate(new Iova(address), length) is not null);
    }

    private static void AssertRead(DriverRing driver, RingFault expected)
    {
        driver.StartAt(0);
        SplitDeviceRing device = driver.AttachDevice();
        driver.MakeAvailable(0);
        Assert.Equal(RingRead.Broken, device.TryRead(12, new byte[64], out _));
        Assert.Equal(expected, device.Fault);
    }

    private static void AssertWrite(DriverRing driver, RingFault expected)
    {
        driver.StartAt(0);
        SplitDeviceRing device = driver.AttachDevice();
        driver.MakeAvailable(0);
        Assert.Equal(RingWrite.Broken, device.TryWrite(new byte[12], new byte[30]));
        Assert.Equal(expected, device.Fault);
    }
}
