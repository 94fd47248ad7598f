using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Tests.Rings.Engine;

/// <summary>The transmit ring beside the queues that say what it must do.</summary>
internal sealed class TransmitModel(RingBed bed, Random random, ReceiveModel receive)
{
    private const int MaxSegments = 5;
    private const int MaxLength = RingBed.BufferSize - BufferLayout.FrameOffset;

    private readonly Queue<Sent> _posted = [];
    private readonly Queue<Sent> _flushed = [];
    private readonly HeldChains<(DeviceChain Chain, Sent Frame)> _held = new(bed.Size);
    private readonly bool[] _withDevice = new bool[bed.Pool.Count]; // The buffers of those.
    private int _hidden; // Frames given back, but not published.
    private int _published;
    private int _descriptorsHidden;
    private int _descriptorsPublished;
    private int _buffersHidden;
    private int _buffersPublished;
    private int _descriptorsUnderWay;
    private bool _asleep;
    private bool _deviceAsleep;
    private uint _next;

    /// <summary>Descriptors that the device has used.</summary>
    public long DescriptorsUsed { get; private set; }

    /// <summary>Buffers in the ring.</summary>
    public int BuffersUnderWay { get; private set; }

    /// <summary>The driver posts frames of one or more buffers, some with an offload.</summary>
    public void Post(int frames)
    {
        for (int i = 0; i < frames; i++)
        {
            bool posted = random.Next(3) switch
            {
                0 => PostSegments(),
                1 when receive.Taken.Count > 0 => PostTaken(),
                _ => PostOne(),
            };
            Assert.True(bed.Transmit.FreeCount == bed.Size - _descriptorsUnderWay && bed.Transmit.HasOutstanding == (_descriptorsUnderWay != 0));
            if (!posted)
            {
                return;
            }
        }
    }

    /// <summary>The driver tells the device.</summary>
    public void Flush()
    {
        bed.Transmit.Flush();
        bool any = _posted.Count != 0;
        while (_posted.TryDequeue(out Sent? frame))
        {
            _flushed.Enqueue(frame);
        }

        if (_deviceAsleep && any)
        {
            Assert.True(bed.TransmitKick.TryDrain(), "the device sleeps through a frame");
            _deviceAsleep = false;
            bed.FromDriver.AskForDoorbell(false);
        }
    }

    /// <summary>The device takes frames and holds them.</summary>
    public bool DeviceTakes(int frames)
    {
        bool any = false;
        for (int i = 0; i < frames; i++)
        {
            if (!bed.FromDriver.TryTake(out DeviceChain chain))
            {
                Assert.Empty(_flushed);
                return any;
            }

            any = true;
            Assert.True(_flushed.TryDequeue(out Sent? expected), "a frame that nobody has sent");
            Check(chain, expected);
            Assert.True(expected.Descriptors == chain.Descriptors);
            Mark(chain, isWithDevice: true);
            _held.Add((chain, expected));
        }

        return any;
    }

    /// <summary>The device gives frames back.</summary>
    public void DeviceUses(int frames)
    {
        int count = Math.Min(frames, _held.Count);
        if (bed.Features.InOrder)
        {
            for (int done = 0; done < count;)
            {
                int batch = random.Next(2) == 0 ? 1 : random.Next(1, count - done + 1);
                int descriptors = 0;
                DeviceChain last = default;
                for (int i = 0; i < batch; i++)
                {
                    (last, Sent frame) = _held.TakeFirst();
                    Used(last, frame);
                    descriptors += last.Descriptors;
                }

                bed.FromDriver.UseBatch(last, batch, descriptors, (uint)random.Next());
                done += batch;
            }

            return;
        }

        for (int i = 0; i < count; i++)
        {
            (DeviceChain chain, Sent frame) = _held.TakeAny(random.Next(_held.Count));
            bed.FromDriver.Use(chain, (uint)random.Next()); // A length means nothing on this way.
            Used(chain, frame);
        }
    }

    /// <summary>The device shows what it has given back.</summary>
    public void Publish()
    {
        bool any = _hidden != 0;
        bool wanted = bed.FromDriver.Publish();
        _published += _hidden;
        _descriptorsPublished += _descriptorsHidden;
        _buffersPublished += _buffersHidden;
        _hidden = _descriptorsHidden = _buffersHidden = 0;
        if (_asleep && any)
        {
            Assert.True(wanted, "the driver sleeps through a frame that was sent");
            _asleep = false;
            bed.Transmit.DisarmEvents();
        }
    }

    /// <summary>The driver takes them back.</summary>
    public void Reclaim()
    {
        Assert.Equal(_published, bed.Transmit.Reclaim());
        _descriptorsUnderWay -= _descriptorsPublished;
        BuffersUnderWay -= _buffersPublished;
        _published = _descriptorsPublished = _buffersPublished = 0;
        Assert.Equal(bed.Size - _descriptorsUnderWay, bed.Transmit.FreeCount);
    }

    /// <summary>The driver wants an event, if there is nothing to do.</summary>
    public void DriverSleeps()
    {
        if (_asleep)
        {
            bed.Transmit.DisarmEvents();
            _asleep = false;
            return;
        }

        _asleep = bed.Transmit.TryArmEvents();
        Assert.Equal(_published == 0, _asleep);
    }

    /// <summary>The device wants the doorbell, if the driver has given it nothing.</summary>
    public void DeviceSleeps()
    {
        bed.FromDriver.AskForDoorbell(true);
        _ = bed.TransmitKick.TryDrain();
        _deviceAsleep = !DeviceTakes(int.MaxValue);
        if (!_deviceAsleep)
        {
            bed.FromDriver.AskForDoorbell(false);
        }
    }

    /// <summary>Sends all that is under way.</summary>
    public void Drain()
    {
        Flush();
        _ = DeviceTakes(int.MaxValue);
        DeviceUses(int.MaxValue);
        Publish();
        Reclaim();
        Assert.Equal(bed.Size, bed.Transmit.FreeCount);
        Assert.False(bed.Transmit.HasOutstanding);
        Assert.Equal(0, BuffersUnderWay);
    }

    private void Mark(in DeviceChain chain, bool isWithDevice)
    {
        Mark(chain.First, isWithDevice);
        foreach (DevicePart part in chain.More)
        {
            Mark(part, isWithDevice);
        }

        if (chain.Table >= 0)
        {
            Mark(new DevicePart(chain.Table, 1, false), isWithDevice);
        }
    }

    private void Mark(DevicePart part, bool isWithDevice)
    {
        ref bool mark = ref _withDevice[bed.BufferOf(part)];
        Assert.True(mark != isWithDevice, "the device has a buffer twice");
        mark = isWithDevice;
    }

    private void Used(in DeviceChain chain, Sent frame)
    {
        Mark(chain, isWithDevice: false);
        DescriptorsUsed += chain.Descriptors;
        _hidden++;
        _descriptorsHidden += chain.Descriptors;
        _buffersHidden += frame.Buffers;
    }

    private bool PostOne()
    {
        if (!bed.Pool.TryRent(out PacketBuffer buffer))
        {
            return false;
        }

        int offset = random.Next(8);
        byte[] frame = NextFrame(random.Next(sizeof(uint), MaxLength - offset + 1));
        bed.Pool.Bytes(buffer, 0, BufferLayout.FrameOffset + offset).Fill(0xAA); // The header is to be written whatever is there.
        frame.CopyTo(bed.Pool.Bytes(buffer, BufferLayout.FrameOffset + offset, frame.Length));
        return Posted(bed.Transmit.TryPost(buffer, offset, frame.Length), [buffer], new Sent(frame, null, 1, 1));
    }

    private bool PostTaken()
    {
        (PacketBuffer buffer, int offset, byte[] bytes) = receive.Taken[^1];
        if (offset != BufferLayout.FrameOffset)
        {
            return true; // Its bytes begin where the header would be.
        }

        bool posted = bed.Transmit.TryPost(buffer, 0, bytes.Length);
        Assert.Equal(_descriptorsUnderWay < bed.Size, posted);
        if (posted)
        {
            receive.Taken.RemoveAt(receive.Taken.Count - 1);
            Count(new Sent(bytes, null, 1, 1));
        }

        return posted;
    }

    private bool PostSegments()
    {
        int count = random.Next(1, Math.Min(MaxSegments, bed.Size) + 1);
        List<PacketBuffer> buffers = [];
        while (buffers.Count < count && bed.Pool.TryRent(out PacketBuffer buffer))
        {
            buffers.Add(buffer);
        }

        if (buffers.Count == 0)
        {
            return false;
        }

        List<byte> frame = [];
        List<TransmitSegment> segments = [];
        foreach (PacketBuffer buffer in buffers)
        {
            int offset = segments.Count == 0 ? BufferLayout.FrameOffset + random.Next(8) : random.Next(RingBed.BufferSize - sizeof(uint));
            byte[] part = NextFrame(random.Next(sizeof(uint), RingBed.BufferSize - offset + 1));
            part.CopyTo(bed.Pool.Bytes(buffer, offset, part.Length));
            frame.AddRange(part);
            segments.Add(new TransmitSegment(buffer, offset, part.Length));
        }

        TransmitOffload? offload = random.Next(3) switch
        {
            0 => new TransmitOffload(34, 6),
            1 => new TransmitOffload(34, 6, VirtioNetHeader.SegmentUdpDatagrams, (ushort)random.Next(1, 1500), 42),
            _ => null,
        };
        bool isIndirect = bed.Features.Indirect && buffers.Count > 1;
        int descriptors = isIndirect ? 1 : buffers.Count;
        bool room = bed.Size - _descriptorsUnderWay >= descriptors && (!isIndirect || bed.Pool.FreeCount > 0);
        bool posted = bed.Transmit.TryPost(CollectionsMarshal.AsSpan(segments), offload);
        Assert.Equal(room, posted);
        return Posted(posted, buffers, new Sent([.. frame], offload, descriptors, buffers.Count + (isIndirect ? 1 : 0)));
    }

    private bool Posted(bool posted, List<PacketBuffer> buffers, Sent frame)
    {
        if (posted)
        {
            Count(frame);
            return true;
        }

        Assert.True(_descriptorsUnderWay + frame.Descriptors > bed.Size || bed.Pool.FreeCount == 0, "there was room for the frame");
        buffers.ForEach(bed.Pool.Return);
        return false;
    }

    private void Count(Sent frame)
    {
        _posted.Enqueue(frame);
        _descriptorsUnderWay += frame.Descriptors;
        BuffersUnderWay += frame.Buffers;
    }

    private byte[] NextFrame(int length)
    {
        var frame = new byte[length];
        new Span<byte>(frame).Fill((byte)_next);
        BinaryPrimitives.WriteUInt32LittleEndian(frame, _next++);
        return frame;
    }

    private void Check(DeviceChain chain, Sent expected)
    {
        Assert.True(chain.First.Length >= VirtioNetHeader.Length, "the header is cut in two");
        ReadOnlySpan<byte> first = bed.Bytes(chain.First.Start, chain.First.Length);
        ulong word = BinaryPrimitives.ReadUInt64LittleEndian(first);
        ushort field = BinaryPrimitives.ReadUInt16LittleEndian(first[VirtioNetHeader.ChecksumFieldOffset..]);
        Assert.True(word == (expected.Offload?.Word ?? 0) && field == (expected.Offload?.ChecksumField ?? 0), "a header asks for something else");
        ReadOnlySpan<byte> rest = expected.Bytes;
        rest = CheckPart(chain.First, VirtioNetHeader.Length, rest);
        foreach (DevicePart part in chain.More)
        {
            rest = CheckPart(part, 0, rest);
        }

        Assert.True(rest.IsEmpty, "a frame is too short");
    }

    private ReadOnlySpan<byte> CheckPart(DevicePart part, int skip, ReadOnlySpan<byte> expected)
    {
        Assert.False(part.IsWritable);
        ReadOnlySpan<byte> bytes = bed.Bytes(part.Start, part.Length)[skip..];
        Assert.True(bytes.Length <= expected.Length && bytes.SequenceEqual(expected[..bytes.Length]), "a frame has other bytes");
        return expected[bytes.Length..];
    }

    private sealed record Sent(byte[] Bytes, TransmitOffload? Offload, int Descriptors, int Buffers);
}
