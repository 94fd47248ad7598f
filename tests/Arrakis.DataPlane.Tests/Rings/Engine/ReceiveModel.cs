using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Tests.Rings.Engine;

/// <summary>The receive ring beside the queues that say what it must do.</summary>
internal sealed class ReceiveModel(RingBed bed, Random random, Func<int> inTransmitRing)
{
    private const int MaxFrameBuffers = 4;
    private const int MaxTaken = 12;

    private readonly HeldChains<DeviceChain> _held = new(bed.Size);
    private readonly List<(DeviceChain Chain, uint Length)> _run = []; // In order: used, but not yet said in which form.
    private readonly bool[] _withDevice = new bool[bed.Pool.Count]; // The buffers of those.
    private readonly List<byte[]> _hidden = []; // Frames that are whole, but not published.
    private readonly Queue<byte[]> _published = [];
    private readonly List<(PacketBuffer Buffer, int Offset, byte[] Bytes)> _taken = [];
    private readonly ReceivedFrame[] _batch = new ReceivedFrame[64];
    private bool _asleep;
    private bool _deviceAsleep;
    private bool _cutFrame; // The driver can see a part of a frame.
    private uint _next;

    /// <summary>Descriptors that the device has used.</summary>
    public long DescriptorsUsed { get; private set; }

    /// <summary>Buffers with frames that the application holds.</summary>
    public List<(PacketBuffer Buffer, int Offset, byte[] Bytes)> Taken => _taken;

    /// <summary>The device fills buffers.</summary>
    public void Deliver(int frames)
    {
        TakeAvailable();
        for (int i = 0; i < frames; i++)
        {
            byte[] frame = NextFrame(out int buffers);
            if (_held.Count < buffers)
            {
                break;
            }

            Fill(frame, buffers);
            _hidden.Add(frame);
        }

        CloseRun();
        if (random.Next(3) == 0)
        {
            Publish();
        }
    }

    /// <summary>The device shows what it has filled.</summary>
    public void Publish()
    {
        CloseRun();
        bool any = _hidden.Count != 0;
        bool wanted = bed.ToDriver.Publish();
        foreach (byte[] frame in _hidden)
        {
            _published.Enqueue(frame);
        }

        _hidden.Clear();
        _cutFrame = false;
        Woken(any, wanted);
    }

    /// <summary>The driver takes a batch.</summary>
    public void Receive()
    {
        // A frame's buffers must fit into a batch.
        int room = random.Next(bed.Features.Mergeable ? MaxFrameBuffers : 1, _batch.Length + 1);
        int count = bed.Receive.Receive(_batch.AsSpan(0, room));
        if (count == 0 && bed.Features.Mergeable)
        {
            // The rest of a frame that was cut in two is seen when the ring has nothing else left.
            count = bed.Receive.Receive(_batch.AsSpan(0, room));
        }

        Assert.InRange(count, 0, room);
        Assert.True(count > 0 || _published.Count == 0, "a frame that is there is not received");
        for (int i = 0; i < count;)
        {
            Assert.True(_published.TryDequeue(out byte[]? expected), "a frame that nobody sent");
            i += Check(expected, _batch.AsSpan(i, count - i));
        }

        for (int i = 0; i < count; i++)
        {
            ref ReceivedFrame frame = ref _batch[i];
            if (random.Next(4) == 0 && _taken.Count < MaxTaken)
            {
                bool free = bed.Pool.FreeCount > 0;
                Assert.Equal(free, bed.Receive.TryTake(ref frame));
                if (free)
                {
                    _taken.Add((frame.Buffer, Offset(frame), Bytes(frame).ToArray()));
                }
            }
        }

        bed.Receive.Release(_batch.AsSpan(0, count));
        Published();
        foreach ((PacketBuffer buffer, int offset, byte[] bytes) in CollectionsMarshal.AsSpan(_taken))
        {
            Assert.True(bed.Pool.Bytes(buffer, offset, bytes.Length).SequenceEqual(bytes), "a taken buffer was written");
        }

        if (_taken.Count > 0 && random.Next(2) == 0)
        {
            bed.Pool.Return(_taken[^1].Buffer);
            _taken.RemoveAt(_taken.Count - 1);
        }
    }

    /// <summary>The driver wants an event, if there is nothing to do.</summary>
    public void DriverSleeps()
    {
        if (_asleep)
        {
            bed.Receive.DisarmEvents();
            _asleep = false;
            return;
        }

        bool armed = bed.Receive.TryArmEvents();
        Published();
        Assert.True(_cutFrame || armed == (_published.Count == 0), armed ? "sleeps although a frame is there" : "does not sleep although there is none");
        _asleep = armed;
    }

    /// <summary>The device wants the doorbell, if the driver has given it nothing.</summary>
    public void DeviceSleeps()
    {
        bed.ToDriver.AskForDoorbell(true);
        _ = bed.ReceiveKick.TryDrain();
        _deviceAsleep = !TakeAvailable();
        if (!_deviceAsleep)
        {
            bed.ToDriver.AskForDoorbell(false);
        }
    }

    /// <summary>All buffers are somewhere, and only once.</summary>
    public void CheckPool() => Assert.Equal(bed.Pool.Count - bed.Size - _taken.Count - inTransmitRing(), bed.Pool.FreeCount);

    /// <summary>Receives all that is under way.</summary>
    public void Drain()
    {
        Publish();
        while (_published.Count != 0)
        {
            Receive();
        }
    }

    /// <summary>Gives back what the application holds.</summary>
    public void ReturnTaken()
    {
        _taken.ForEach(taken => bed.Pool.Return(taken.Buffer));
        _taken.Clear();
    }

    private static int Offset(in ReceivedFrame frame) => frame.IsFollowing ? BufferLayout.HeaderOffset : BufferLayout.FrameOffset;

    private Span<byte> Bytes(in ReceivedFrame frame) => bed.Pool.Bytes(frame.Buffer, Offset(frame), frame.Length);

    private byte[] NextFrame(out int buffers)
    {
        buffers = bed.Features.Mergeable ? random.Next(1, Math.Min(MaxFrameBuffers, bed.Size) + 1) : 1;
        int full = buffers * RingBed.ReceiveCapacity - VirtioNetHeader.Length;
        int least = Math.Max(sizeof(uint), full - RingBed.ReceiveCapacity + 1);
        var frame = new byte[random.Next(2) == 0 ? full : random.Next(least, full + 1)];
        new Span<byte>(frame).Fill((byte)_next);
        BinaryPrimitives.WriteUInt32LittleEndian(frame, _next++);
        return frame;
    }

    private void Fill(byte[] frame, int buffers)
    {
        int at = 0;
        for (int i = 0; i < buffers; i++)
        {
            DeviceChain chain = TakeHeld();
            Span<byte> room = bed.Bytes(chain.First.Start, chain.First.Length);
            int part = 0;
            if (i == 0)
            {
                room[..VirtioNetHeader.Length].Clear();
                room[VirtioNetHeader.FlagsOffset] = Flags(frame);
                BinaryPrimitives.WriteUInt16LittleEndian(room[VirtioNetHeader.BufferCountOffset..], (ushort)buffers);
                part = VirtioNetHeader.Length;
            }

            int bytes = Math.Min(room.Length - part, frame.Length - at);
            frame.AsSpan(at, bytes).CopyTo(room[part..]);
            at += bytes;
            Use(chain, (uint)(part + bytes));
            if (i < buffers - 1 && random.Next(8) == 0)
            {
                // A part of a frame, which the driver has to leave alone.
                CloseRun();
                Woken(true, bed.ToDriver.Publish());
                _hidden.ForEach(_published.Enqueue);
                _hidden.Clear();
                _cutFrame = true;
                if (random.Next(4) == 0)
                {
                    Receive();
                }
            }
        }

        Assert.True(frame.Length == at);
    }

    // What the device says of a frame's checksum, so that the model knows it.
    private static byte Flags(byte[] frame) => (frame[0] & 1) != 0 ? VirtioNetHeader.DataValid : (byte)0;

    private DeviceChain TakeHeld() => bed.Features.InOrder ? _held.TakeFirst() : _held.TakeAny(random.Next(_held.Count));

    private void Use(DeviceChain chain, uint length)
    {
        _withDevice[bed.BufferOf(chain.First)] = false;
        DescriptorsUsed++;
        if (!bed.Features.InOrder)
        {
            bed.ToDriver.Use(chain, length);
            return;
        }

        _run.Add((chain, length));
        if (length != RingBed.ReceiveCapacity || random.Next(4) == 0)
        {
            CloseRun();
        }
    }

    // All of the run but the last are full, so the last may stand for all of them.
    private void CloseRun()
    {
        if (_run.Count > 1 && random.Next(2) == 0)
        {
            bed.ToDriver.UseBatch(_run[^1].Chain, _run.Count, _run.Count, _run[^1].Length);
        }
        else
        {
            foreach ((DeviceChain chain, uint length) in _run)
            {
                bed.ToDriver.Use(chain, length);
            }
        }

        _run.Clear();
    }

    private bool TakeAvailable()
    {
        bool any = false;
        while (bed.ToDriver.TryTake(out DeviceChain chain))
        {
            any = true;
            Assert.True(chain.More.Length == 0 && chain.First.IsWritable && chain.First.Length == RingBed.ReceiveCapacity);
            ref bool isWithDevice = ref _withDevice[bed.BufferOf(chain.First)];
            Assert.False(isWithDevice, "the device has a buffer twice");
            isWithDevice = true;
            _held.Add(chain);
        }

        return any;
    }

    private int Check(byte[] expected, Span<ReceivedFrame> frames)
    {
        Assert.True((frames[0].Offload & 0xFF) == Flags(expected), "other flags than the device's");
        int at = 0;
        int count = 0;
        bool more;
        do
        {
            ref ReceivedFrame frame = ref frames[count];
            Assert.True(frame.IsFollowing == (count > 0));
            Assert.False(_withDevice[frame.Buffer.Index], "the device still has the buffer");
            ReadOnlySpan<byte> bytes = Bytes(frame);
            Assert.True(bytes.SequenceEqual(expected.AsSpan(at, bytes.Length)), "a frame has other bytes");
            at += bytes.Length;
            more = frame.Continues;
            count++;
        }
        while (more);
        Assert.True(expected.Length == at, "a frame has another length");
        return count;
    }

    // The driver may have published buffers: a device that sleeps must hear of it.
    private void Published()
    {
        if (_deviceAsleep && TakeAvailable())
        {
            Assert.True(bed.ReceiveKick.TryDrain(), "the device sleeps through new buffers");
            _deviceAsleep = false;
            bed.ToDriver.AskForDoorbell(false);
        }
    }

    private void Woken(bool any, bool wanted)
    {
        if (_asleep && any)
        {
            Assert.True(wanted, "the driver sleeps through a frame");
            _asleep = false;
            bed.Receive.DisarmEvents();
        }
    }
}
