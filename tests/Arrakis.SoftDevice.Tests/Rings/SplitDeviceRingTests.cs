using Arrakis.SoftDevice.Memory;
using Arrakis.SoftDevice.Rings;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Tests.Rings;

/// <summary>What only split rings have; <see cref="RingTests"/> has what holds for both formats.</summary>
public sealed class SplitDeviceRingTests
{
    private static readonly byte[] _header = new byte[VirtioNetHeader.Length];

    [Fact]
    public void A_frame_is_spread_over_the_buffers_of_a_chain()
    {
        DriverRing driver = DriverRing.Create(16, 64, out QueueMemory memory);
        using (memory)
        {
            SplitDeviceRing device = driver.AttachDevice();
            byte[] frame = [.. Enumerable.Range(0, 100).Select(i => (byte)i)];
            Assert.True(driver.TryOffer(pieces: 12, length: 10));
            Assert.Equal(RingWrite.Done, device.TryWrite(_header, frame));
            _ = device.Publish();
            Assert.True(driver.TryTake(out byte[] data));
            Assert.Equal([.. _header, .. frame], data);
        }
    }

    [Fact]
    public void A_resumed_ring_goes_on_at_the_used_index()
    {
        DriverRing driver = DriverRing.Create(8, 64, out QueueMemory memory);
        using (memory)
        {
            SplitDeviceRing first = driver.AttachDevice();
            byte[] frame = new byte[64];
            for (int i = 0; i < 5; i++)
            {
                Assert.True(driver.TrySend([.. _header, (byte)i]));
            }

            for (int i = 0; i < 3; i++)
            {
                Assert.Equal(RingRead.Frame, first.TryRead(12, frame, out _));
                first.Complete();
                _ = first.Publish();
            }

            SplitDeviceRing second = driver.AttachDevice(driver.UsedIndex);
            Assert.Equal(RingRead.Frame, second.TryRead(12, frame, out _));
            Assert.Equal(3, frame[0]);
            second.Complete();
            _ = second.Publish();
            Assert.Equal(4, driver.UsedIndex);
        }
    }

    [Fact]
    public void Doorbells_and_events_are_asked_for_by_flags()
    {
        DriverRing driver = DriverRing.Create(8, 64, out QueueMemory memory);
        using (memory)
        {
            SplitDeviceRing device = driver.AttachDevice();
            device.RequestNotification(false);
            Assert.Equal(SplitFormat.UsedNoNotify, driver.UsedFlags);
            device.RequestNotification(true);
            Assert.Equal(0, driver.UsedFlags);
            Assert.True(device.DriverWantsEvent);
            driver.AvailableFlags = SplitFormat.AvailableNoInterrupt;
            Assert.False(device.DriverWantsEvent);
        }
    }

    [Theory]
    [InlineData(0, RingFault.SizeInvalid)]
    [InlineData(3, RingFault.SizeInvalid)]
    [InlineData(65536, RingFault.SizeInvalid)]
    [InlineData(256, RingFault.None)]
    public void A_ring_of_a_wrong_size_is_not_attached(int size, RingFault expected)
    {
        using var memory = new QueueMemory(65536);
        FrontEndAddress start = new(QueueMemory.FrontEndBase);
        Assert.Equal(expected, SplitDeviceRing.TryAttach(memory.Table, size, start, start, start, 0, VirtioFeatures.None, out _));
    }

    [Theory]
    [InlineData(ulong.MaxValue)]
    [InlineData(ulong.MaxValue - 4095)]
    [InlineData(0)]
    [InlineData(QueueMemory.FrontEndBase - 16)]
    [InlineData(QueueMemory.FrontEndBase + 8)]
    [InlineData(QueueMemory.FrontEndBase + 65536)]
    [InlineData(QueueMemory.FrontEndBase + 65536 - 16)]
    public void A_ring_outside_the_memory_or_misaligned_is_not_attached(ulong address)
    {
        using var memory = new QueueMemory(65536);
        FrontEndAddress good = new(QueueMemory.FrontEndBase);
        FrontEndAddress bad = new(address | 1);
        Assert.Equal(RingFault.DescriptorTableOutside, SplitDeviceRing.TryAttach(memory.Table, 256, new FrontEndAddress(address), good, good, 0, VirtioFeatures.None, out _));
        Assert.Equal(RingFault.AvailableRingOutside, SplitDeviceRing.TryAttach(memory.Table, 256, good, bad, good, 0, VirtioFeatures.None, out _));
        Assert.Equal(RingFault.UsedRingOutside, SplitDeviceRing.TryAttach(memory.Table, 256, good, good, bad, 0, VirtioFeatures.None, out _));
    }
}
