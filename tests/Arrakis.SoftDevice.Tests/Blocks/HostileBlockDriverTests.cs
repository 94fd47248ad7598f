using Arrakis.Contract;
using Arrakis.SoftDevice.Ports.Vf;
using Arrakis.SoftDevice.Rings;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Tests.Blocks;

/// <summary>Drivers that make chains which no correct one makes.</summary>
public sealed unsafe class HostileBlockDriverTests
{
    private const ushort Next = DescriptorFlags.Next;
    private const ushort Write = DescriptorFlags.Write;

    [Theory]
    [InlineData(8u, Next, 1u, Write, RingFault.RequestTooShort)] // a header of half its length
    [InlineData(16u, Next, 0u, Write, RingFault.RequestTooShort)] // no room for a status
    [InlineData(16u, (ushort)0, 0u, Write, RingFault.RequestTooShort)]
    [InlineData(16u, (ushort)(Next | Write), 16u, (ushort)0, RingFault.BuffersOutOfOrder)]
    [InlineData(0u, (ushort)(Next | Write), 16u, (ushort)0, RingFault.BuffersOutOfOrder)] // also where the first is empty
    [InlineData(16u, Next, uint.MaxValue, Write, RingFault.BufferOutsideMemory)]
    public void A_chain_that_is_no_request_breaks_the_ring(uint firstLength, ushort firstFlags, uint secondLength, ushort secondFlags, RingFault fault)
    {
        using var blocks = new BlocksUnderTest("memory", RingFormat.Split);
        blocks.Show(false, new BlockExtent(0, 16));
        RingLayout layout = blocks.Driver.Layout;
        byte* memory = blocks.Driver.Memory.Start;
        Put(memory, layout, 0, QueueMemory.IovaBase + (ulong)layout.End, firstLength, firstFlags, 1);
        Put(memory, layout, 1, QueueMemory.IovaBase + (ulong)layout.End + 64, secondLength, secondFlags, 0);
        Volatile.Write(ref *(ushort*)(memory + layout.DriverArea + 2), 1);
        _ = blocks.Poll();

        Assert.Equal(fault, blocks.Ring.Fault);
        Assert.Contains(fault.ToString(), blocks.Port.TakeFault(), StringComparison.Ordinal);
        Assert.Equal(0, *(ushort*)(memory + layout.DeviceArea + 2));
    }

    [Theory]
    [InlineData(RingFormat.Split)]
    [InlineData(RingFormat.Packed)]
    public void No_driver_changes_what_is_outside_of_its_area(RingFormat format)
    {
        const int start = 64, count = 32, rounds = 4000;
        using var blocks = new BlocksUnderTest("memory", format);
        byte[] before = blocks.Content;
        Assert.True(blocks.Port.TryDetach(0));
        for (int seed = 0; seed < rounds; seed++)
        {
            var random = new Random(seed);
            using var driver = new BlockDriver(format, size: 16, slots: 2, dataSize: 4096);
            DeviceRing ring = driver.Attach(VirtioFeatures.None);
            Fill(driver, random, format);
            blocks.Show(seed % 3 == 0, new BlockExtent(start, count));
            blocks.Port.Attach(1, new RunningRing(ring, driver.Memory.Table, VirtioFeatures.None, null, null, hasDoorbell: false));
            for (int i = 0; i < 4; i++)
            {
                _ = blocks.Poll();
            }

            Assert.True(blocks.Port.TryDetach(1));
            _ = blocks.Port.TakeFault();
        }

        byte[] after = blocks.Content;
        const int from = start * BlocksUnderTest.BlockSize, to = (start + count) * BlocksUnderTest.BlockSize;
        Assert.Equal(before[..from], after[..from]);
        Assert.Equal(before[to..], after[to..]);
        Assert.NotEqual(before[from..to], after[from..to]); // some of them were good enough to write
    }

    // Descriptors, headers and indices are random, but near enough to right that many of them are taken.
    private static void Fill(BlockDriver driver, Random random, RingFormat format)
    {
        RingLayout layout = driver.Layout;
        byte* memory = driver.Memory.Start;
        long length = driver.Memory.Length;
        for (long at = layout.End; at + 16 <= length; at += 16)
        {
            if (random.Next(4) != 0)
            {
                new VirtioBlockRequest((VirtioBlockType)random.Next(15), (ulong)random.Next(40)).Write(new Span<byte>(memory + at, 16));
            }
        }

        for (int i = 0; i < 16; i++)
        {
            ulong address = QueueMemory.IovaBase + (ulong)(layout.End + random.Next((int)(length - layout.End) / 16) * 16);
            uint size = random.Next(4) switch { 0 => 16, 1 => 512, 2 => 1, _ => (uint)random.Next(5000) };
            int kind = random.Next(16);
            ushort flags = (ushort)((kind < 10 ? Next : 0) | (i % 3 == 2 || kind == 15 ? Write : 0) | (kind == 14 ? DescriptorFlags.Indirect : 0));
            Put(memory, layout, i, random.Next(20) == 0 ? (ulong)random.NextInt64() : address, size, flags, (ushort)random.Next(random.Next(8) == 0 ? 65536 : 16));
            if (format == RingFormat.Packed)
            {
                byte* entry = memory + layout.DescriptorArea + i * 16;
                *(ushort*)(entry + 12) = (ushort)random.Next(65536);
                *(ushort*)(entry + 14) = (ushort)(flags | (random.Next(8) == 0 ? DescriptorFlags.Used : DescriptorFlags.Available));
            }
        }

        if (format == RingFormat.Split)
        {
            for (int i = 0; i < 16; i++)
            {
                *(ushort*)(memory + layout.DriverArea + 4 + i * 2) = (ushort)random.Next(random.Next(8) == 0 ? 65536 : 16);
            }

            *(ushort*)(memory + layout.DriverArea + 2) = (ushort)random.Next(random.Next(8) == 0 ? 65536 : 17);
        }
    }

    private static void Put(byte* memory, RingLayout layout, int index, ulong address, uint length, ushort flags, ushort next)
    {
        byte* entry = memory + layout.DescriptorArea + index * 16;
        *(ulong*)entry = address;
        *(uint*)(entry + 8) = length;
        *(ushort*)(entry + 12) = flags;
        *(ushort*)(entry + 14) = next;
    }
}
