using Arrakis.SoftDevice.Memory;
using Arrakis.SoftDevice.Rings;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.Wire.Virtio;
using CsCheck;

namespace Arrakis.SoftDevice.Tests.Rings;

public sealed class SplitDeviceRingTests
{
    private static readonly byte[] _header = new byte[VirtioNetHeader.Length];

    public static TheoryData<int> Sizes => [.. Enumerable.Range(1, 15).Select(bits => 1 << bits)];

    [Theory]
    [MemberData(nameof(Sizes))]
    public void What_the_driver_sends_is_read_in_order_past_the_wrap_of_ring_and_index(int size)
    {
        DriverRing driver = DriverRing.Create(size, 64, out QueueMemory memory);
        using (memory)
        {
            driver.StartAt(ushort.MaxValue - 3);
            SplitDeviceRing device = driver.AttachDevice(ushort.MaxValue - 3);
            byte[] frame = new byte[64];
            for (int i = 0; i < size * 2 + 10; i++)
            {
                Assert.Equal(RingRead.Empty, device.TryRead(12, frame, out _));
                Assert.True(driver.TrySend([.. _header, (byte)i, (byte)(i >> 8)]));
                Assert.Equal(RingRead.Frame, device.TryRead(12, frame, out int length));
                Assert.Equal([(byte)i, (byte)(i >> 8)], frame[..length]);
                device.Complete();
                Assert.False(driver.TryTake(out _));
                Assert.True(device.Publish());
                Assert.True(driver.TryTake(out byte[] used));
                Assert.Empty(used);
            }

            Assert.Equal((ushort)(ushort.MaxValue - 3 + size * 2 + 10), device.NextAvailable);
        }
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void What_the_device_writes_fills_the_ring_and_no_more(int size)
    {
        DriverRing driver = DriverRing.Create(size, 64, out QueueMemory memory);
        using (memory)
        {
            SplitDeviceRing device = driver.AttachDevice();
            while (driver.TryOffer())
            {
            }

            for (int i = 0; i < size; i++)
            {
                Assert.Equal(RingWrite.Done, device.TryWrite(_header, [(byte)i, 1, 2]));
            }

            Assert.Equal(RingWrite.Full, device.TryWrite(_header, [0]));
            Assert.True(device.Publish());
            Assert.False(device.Publish());
            for (int i = 0; i < size; i++)
            {
                Assert.True(driver.TryTake(out byte[] data));
                Assert.Equal([.. _header, (byte)i, 1, 2], data);
            }
        }
    }

    [Fact]
    public void A_ring_behaves_as_a_queue_whatever_the_order_of_steps()
    {
        // One step: 0 send, 1 read and complete, 2 publish, 3 take back; with a length and a number of pieces.
        Gen<(int Size, int Start, List<(int Kind, int Length, int Pieces)> Steps)> gen =
            Gen.Select(Gen.Int[1, 8].Select(bits => 1 << bits), Gen.Int[0, ushort.MaxValue], Gen.Select(Gen.Int[0, 3], Gen.Int[12, 300], Gen.Int[1, 4]).List[1, 400]);
        gen.Sample(
            test =>
            {
                DriverRing driver = DriverRing.Create(test.Size, 512, out QueueMemory memory);
                using (memory)
                {
                    driver.StartAt((ushort)test.Start);
                    SplitDeviceRing device = driver.AttachDevice((ushort)test.Start);
                    var sent = new Queue<byte[]>();
                    int completed = 0;
                    int published = 0;
                    byte[] frame = new byte[512];
                    byte fill = 0;
                    foreach ((int kind, int length, int pieces) in test.Steps)
                    {
                        switch (kind)
                        {
                            case 0:
                                byte[] data = new byte[length];
                                data.AsSpan().Fill(++fill);
                                if (driver.TrySend(data, pieces))
                                {
                                    sent.Enqueue(data[12..]);
                                }

                                break;
                            case 1:
                                RingRead outcome = device.TryRead(12, frame, out int read);
                                Assert.Equal(sent.Count == 0 ? RingRead.Empty : RingRead.Frame, outcome);
                                if (outcome == RingRead.Frame)
                                {
                                    Assert.Equal(sent.Dequeue(), frame[..read]);
                                    device.Complete();
                                    completed++;
                                }

                                break;
                            case 2:
                                Assert.Equal(completed != published, device.Publish());
                                published = completed;
                                break;
                            default:
                                bool mayTake = published > 0;
                                Assert.Equal(mayTake, driver.TryTake(out _));
                                if (mayTake)
                                {
                                    completed--;
                                    published--;
                                }

                                break;
                        }
                    }
                }
            },
            seed: "0000KOIgTR2Y",
            iter: 300);
    }

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
    public void A_buffer_that_is_too_small_stays_where_it_is()
    {
        DriverRing driver = DriverRing.Create(4, 64, out QueueMemory memory);
        using (memory)
        {
            SplitDeviceRing device = driver.AttachDevice();
            Assert.True(driver.TryOffer());
            Assert.Equal(RingWrite.TooSmall, device.TryWrite(_header, new byte[53]));
            Assert.False(device.Publish());
            Assert.Equal(RingWrite.Done, device.TryWrite(_header, new byte[52]));
        }
    }

    [Fact]
    public void A_frame_that_is_too_long_or_shorter_than_its_header_is_told_apart()
    {
        DriverRing driver = DriverRing.Create(4, 2048, out QueueMemory memory);
        using (memory)
        {
            SplitDeviceRing device = driver.AttachDevice();
            byte[] frame = new byte[1514];
            Assert.True(driver.TrySend(new byte[12 + 1515], 2));
            Assert.Equal(RingRead.TooLong, device.TryRead(12, frame, out _));
            device.Complete();
            Assert.True(driver.TrySend(new byte[11]));
            Assert.Equal(RingRead.TooShort, device.TryRead(12, frame, out _));
            device.Complete();
            Assert.True(driver.TrySend(new byte[12 + 1514]));
            Assert.Equal(RingRead.Frame, device.TryRead(12, frame, out int length));
            Assert.Equal(1514, length);
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
