using Arrakis.SoftDevice.Rings;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;
using CsCheck;

namespace Arrakis.SoftDevice.Tests.Rings;

/// <summary>What holds for rings of both formats.</summary>
public sealed class RingTests
{
    private const string Seed = "0000KOIgTR2Y";
    private const int Rounds = 4; // of the smallest ring, past the wrap of the split ring's index
    private static readonly byte[] _header = new byte[VirtioNetHeader.Length];

    private static readonly RingFormat[] Virtqueues = [RingFormat.Split, RingFormat.Packed];

    public static TheoryData<RingFormat, int> Sizes =>
        [.. Enumerable.Range(1, 15).SelectMany(bits => Virtqueues.Select(format => (format, 1 << bits)))];

    public static TheoryData<RingFormat, int, VirtioFeatures> SizesInAndOutOfOrder =>
        [.. Enumerable.Range(1, 15).SelectMany(bits => Virtqueues.SelectMany(format => new[] { VirtioFeatures.None, VirtioFeatures.InOrder }.Select(features => (format, 1 << bits, features))))];

    public static TheoryData<RingFormat> Formats => [.. Virtqueues];

    [Theory]
    [MemberData(nameof(Sizes))]
    public void What_the_driver_sends_is_read_in_order_past_the_wrap(RingFormat format, int size)
    {
        IDriverRing driver = IDriverRing.Create(format, size, 64, start: ushort.MaxValue - 3, out QueueMemory memory);
        using (memory)
        {
            DeviceRing device = driver.Attach(VirtioFeatures.Version1);
            ushort start = device.NextAvailable;
            byte[] frame = new byte[64];
            for (int i = 0; i < size * Rounds; i++)
            {
                Assert.False(device.HasAvailable);
                Assert.Equal(RingRead.Empty, device.TryRead(_header.ToArray(), frame, out _));
                Assert.True(driver.TrySend([.. _header, (byte)i, (byte)(i >> 8)]));
                Assert.True(device.HasAvailable);
                Assert.Equal(RingRead.Frame, device.TryRead(12, frame, out int length));
                Assert.Equal([(byte)i, (byte)(i >> 8)], frame[..length]);
                device.Complete();
                Assert.False(driver.TryTake(out _));
                Assert.True(device.Publish());
                Assert.True(driver.TryTake(out byte[] used));
                Assert.Empty(used);
            }

            // An even number of rounds: a packed ring is where it was, its wrap counter too.
            Assert.Equal(format == RingFormat.Packed ? start : (ushort)(start + size * Rounds), device.NextAvailable);
        }
    }

    [Theory]
    [MemberData(nameof(SizesInAndOutOfOrder))]
    public void What_the_device_writes_fills_the_ring_and_no_more(RingFormat format, int size, VirtioFeatures features)
    {
        IDriverRing driver = IDriverRing.Create(format, size, 64, start: 5, out QueueMemory memory);
        using (memory)
        {
            DeviceRing device = driver.Attach(features);
            for (int round = 0; round < 3; round++)
            {
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
    }

    [Theory]
    [InlineData(RingFormat.Split, VirtioFeatures.RingIndirectDescriptors)]
    [InlineData(RingFormat.Packed, VirtioFeatures.RingIndirectDescriptors)]
    [InlineData(RingFormat.Packed, VirtioFeatures.RingIndirectDescriptors | VirtioFeatures.InOrder)]
    public void A_ring_behaves_as_a_queue_whatever_the_order_of_steps(RingFormat format, VirtioFeatures features)
    {
        // One step: 0 send, 1 read and complete, 2 publish, 3 take back; with a length, a number of pieces, and whether in a table.
        Gen<(int Bits, int Start, List<(int Kind, int Length, int Pieces, bool Indirect)> Steps)> gen =
            Gen.Select(Gen.Int[1, 8], Gen.Int[0, ushort.MaxValue], Gen.Select(Gen.Int[0, 3], Gen.Int[12, 300], Gen.Int[1, 4], Gen.Bool).List[1, 400]);
        gen.Sample(
            test =>
            {
                IDriverRing driver = IDriverRing.Create(format, 1 << test.Bits, 512, test.Start, out QueueMemory memory);
                using (memory)
                {
                    DeviceRing device = driver.Attach(features);
                    var sent = new Queue<byte[]>();
                    int completed = 0;
                    int published = 0;
                    byte[] frame = new byte[512];
                    byte[] header = new byte[VirtioNetHeader.Length];
                    byte fill = 0;
                    foreach ((int kind, int length, int pieces, bool indirect) in test.Steps)
                    {
                        switch (kind)
                        {
                            case 0:
                                byte[] data = new byte[length];
                                data.AsSpan().Fill(++fill);
                                if (indirect ? driver.TrySendIndirect(data, pieces) : driver.TrySend(data, pieces))
                                {
                                    sent.Enqueue(data);
                                }

                                break;
                            case 1:
                                RingRead outcome = device.TryRead(header, frame, out int read);
                                Assert.Equal(sent.Count == 0 ? RingRead.Empty : RingRead.Frame, outcome);
                                if (outcome == RingRead.Frame)
                                {
                                    Assert.Equal(sent.Dequeue(), (byte[])[.. header, .. frame[..read]]);
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
            seed: Seed,
            iter: 300);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void A_frame_takes_as_many_buffers_as_it_needs_or_none(RingFormat format)
    {
        // Buffers offered, then frames: each is written over just as many buffers as hold it, or none is touched.
        Gen<(int Bits, int Start, List<(int Pieces, int Length, bool Indirect)> Buffers, List<int> Frames)> gen = Gen.Select(
            Gen.Int[1, 7],
            Gen.Int[0, 1000],
            Gen.Select(Gen.Int[1, 3], Gen.Int[12, 200], Gen.Bool).List[1, 60],
            Gen.Int[1, 2000].List[1, 10]);
        gen.Sample(
            test =>
            {
                IDriverRing driver = IDriverRing.Create(format, 1 << test.Bits, 256, test.Start, out QueueMemory memory);
                using (memory)
                {
                    DeviceRing device = driver.Attach(VirtioFeatures.NetMergeableReceiveBuffers | VirtioFeatures.RingIndirectDescriptors);
                    var rooms = new Queue<int>();
                    foreach ((int pieces, int length, bool indirect) in test.Buffers)
                    {
                        if (indirect ? driver.TryOfferIndirect(pieces, length) : driver.TryOffer(pieces, length))
                        {
                            rooms.Enqueue(pieces * length);
                        }
                    }

                    byte[] header = new byte[VirtioNetHeader.Length];
                    header[VirtioNetHeader.BufferCountOffset] = 1;
                    byte fill = 0;
                    foreach (int length in test.Frames)
                    {
                        byte[] frame = new byte[length];
                        frame.AsSpan().Fill(++fill);
                        int needed = 0;
                        int room = 0;
                        foreach (int one in rooms)
                        {
                            if (room < length + header.Length)
                            {
                                room += one;
                                needed++;
                            }
                        }

                        bool fits = room >= length + header.Length;
                        Assert.Equal(fits ? RingWrite.Done : RingWrite.Full, device.TryWrite(header, frame));
                        Assert.Equal(fits, device.Publish());
                        byte[] got = [];
                        for (int i = 0; fits && i < needed; i++)
                        {
                            Assert.True(driver.TryTake(out byte[] part));
                            Assert.Equal(i < needed - 1 ? rooms.Peek() : length + header.Length - got.Length, part.Length);
                            _ = rooms.Dequeue();
                            got = [.. got, .. part];
                        }

                        if (fits)
                        {
                            Assert.Equal(needed, got[10] | got[11] << 8);
                            Assert.Equal(frame, got[12..]);
                        }

                        Assert.False(driver.TryTake(out _));
                    }
                }
            },
            seed: Seed,
            iter: 500);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void An_event_is_wanted_just_when_its_place_is_shown(RingFormat format)
    {
        Gen.Select(Gen.Int[1, 8], Gen.Int[0, ushort.MaxValue], Gen.Select(Gen.Int[1, 300], Gen.Int[0, 300]).List[1, 60]).Sample(
            test =>
            {
                (int bits, int start, List<(int, int)> rounds) = test;
                IDriverRing driver = IDriverRing.Create(format, 1 << bits, 64, start, out QueueMemory memory);
                using (memory)
                {
                    DeviceRing device = driver.Attach(VirtioFeatures.RingEventIndex);
                    byte[] frame = new byte[64];
                    foreach ((int wanted, int after) in rounds)
                    {
                        int count = 1 + wanted % driver.Size;
                        int event_ = after % driver.Size;
                        driver.WantEventAfter(event_);
                        for (int i = 0; i < count; i++)
                        {
                            Assert.True(driver.TrySend(_header));
                            Assert.Equal(RingRead.Frame, device.TryRead(12, frame, out _));
                            device.Complete();
                        }

                        Assert.True(device.Publish());
                        Assert.Equal(count > event_, device.DriverWantsEvent);
                        for (int i = 0; i < count; i++)
                        {
                            Assert.True(driver.TryTake(out _));
                        }
                    }
                }
            },
            seed: Seed,
            iter: 300);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void A_doorbell_is_asked_for_at_the_next_place(RingFormat format)
    {
        IDriverRing driver = IDriverRing.Create(format, 8, 64, start: 6, out QueueMemory memory);
        using (memory)
        {
            DeviceRing device = driver.Attach(VirtioFeatures.RingEventIndex);
            for (int i = 0; i < 20; i++)
            {
                device.RequestNotification(true);
                Assert.False(device.HasAvailable);
                Assert.True(driver.TrySend([.. _header, 1]));
                Assert.True(driver.DoorbellIsWanted);
                device.RequestNotification(false);
                Assert.False(driver.DoorbellIsWanted);
                Assert.Equal(RingRead.Frame, device.TryRead(12, new byte[8], out _));
                device.Complete();
                Assert.True(device.Publish());
                Assert.True(driver.TryTake(out _));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void A_buffer_that_is_too_small_stays_where_it_is(RingFormat format)
    {
        IDriverRing driver = IDriverRing.Create(format, 4, 64, start: 0, out QueueMemory memory);
        using (memory)
        {
            DeviceRing device = driver.Attach(VirtioFeatures.None);
            Assert.True(driver.TryOffer());
            Assert.Equal(RingWrite.TooSmall, device.TryWrite(_header, new byte[53]));
            Assert.False(device.Publish());
            Assert.Equal(RingWrite.Done, device.TryWrite(_header, new byte[52]));
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void A_frame_that_is_too_long_or_shorter_than_its_header_is_told_apart(RingFormat format)
    {
        IDriverRing driver = IDriverRing.Create(format, 4, 2048, start: 3, out QueueMemory memory);
        using (memory)
        {
            DeviceRing device = driver.Attach(VirtioFeatures.None);
            byte[] frame = new byte[1514];
            foreach (int pieces in (int[])[1, 2])
            {
                foreach ((int length, RingRead expected) in ((int, RingRead)[])[(12 + 1515, RingRead.TooLong), (11, RingRead.TooShort), (12 + 1514, RingRead.Frame)])
                {
                    Assert.True(driver.TrySend(new byte[length], pieces));
                    Assert.Equal(expected, device.TryRead(12, frame, out int read));
                    Assert.Equal(expected == RingRead.Frame ? 1514 : 0, read);
                    device.Complete();
                    Assert.True(device.Publish());
                    Assert.True(driver.TryTake(out _));
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void A_resumed_ring_goes_on_where_the_first_has_stopped(RingFormat format)
    {
        IDriverRing driver = IDriverRing.Create(format, 4, 64, start: 2, out QueueMemory memory);
        using (memory)
        {
            DeviceRing device = driver.Attach(VirtioFeatures.RingPacked);
            byte[] frame = new byte[64];
            for (byte i = 0; i < 40; i++)
            {
                Assert.True(driver.TrySend([.. _header, i], 1 + i % 3));
                Assert.Equal(RingRead.Frame, device.TryRead(12, frame, out _));
                Assert.Equal(i, frame[0]);
                device.Complete();
                _ = device.Publish();
                Assert.True(driver.TryTake(out _));
                device = driver is DriverRing split ? split.AttachDevice(device.NextAvailable) : ((PackedDriverRing)driver).AttachDevice(next: device.NextAvailable);
            }
        }
    }
}
