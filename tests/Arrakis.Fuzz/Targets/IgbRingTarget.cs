using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Native.Memory;
using Arrakis.Wire.Igb;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.Fuzz.Targets;

/// <summary>The driver's side of an 82576 function's rings against a hostile device: what the device writes back, and the calls between, come from the input.</summary>
internal sealed unsafe class IgbRingTarget : FuzzTarget, IDisposable
{
    private const int Size = 8;
    private const int Buffers = 24;
    private const int BufferSize = 2112;
    private const int RingBytes = 2 * Size * IgbReceiveDescriptor.Size;
    private const int BufferEnd = 53_248; // Whole pages: nothing is mapped after the last buffer.
    private const int BufferOffset = BufferEnd - Buffers * BufferSize;
    private const int MaxHeld = 12;

    private readonly MemoryFile _file = MemoryFile.Create("fuzz igb", Memory.Length, PagePreference.BaseOnly);
    private readonly MemoryFile _registerFile = MemoryFile.Create("fuzz registers", MemoryFile.BasePageSize, PagePreference.BaseOnly);
    private readonly DeviceRegisters _registers = new();
    private readonly MemoryMapping _written;
    private readonly DmaRegion _region;
    private readonly Doorbell _receiveDoorbell;
    private readonly Doorbell _transmitDoorbell;

    public IgbRingTarget()
    {
        _region = DmaRegion.Map(Memory, _file.Descriptor);
        _written = MemoryMapping.Map(_registerFile.Descriptor, 0, MemoryFile.BasePageSize, MappingAccess.ReadWrite);
        _receiveDoorbell = Doorbell(0);
        _transmitDoorbell = Doorbell(4);
    }

    public override string Name => "igb-ring";

    public override IReadOnlyList<byte[]> Corpus { get; } =
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        .. from features in (byte[])[0, 1, 2, 3]
           from length in (int[])[20, 90, 300]
           select Script(features, length),
    ];

    private static MemoryGrant Memory => new(BufferEnd, MemoryFile.BasePageSize, 0x1_0000_0000, BufferOffset, Buffers * BufferSize, BufferSize);

    public void Dispose()
    {
        _registers.Dispose();
        _written.Dispose();
        _region.Dispose();
        _registerFile.Dispose();
        _file.Dispose();
    }

    public override void Run(ReadOnlySpan<byte> input)
    {
        var reader = new InputReader(input);
        byte choice = reader.Byte();
        VirtioFeatures features = VirtioFeatures.Version1
            | ((choice & 1) != 0 ? VirtioFeatures.NetChecksum : 0)
            | ((choice & 2) != 0 ? VirtioFeatures.NetGuestChecksum : 0);
        var session = new Session(this, features);
        try
        {
            for (int step = 0; step < 200 && !reader.IsEmpty; step++)
            {
                session.Step(ref reader);
                session.CheckCounts();
            }
        }
        catch (RingCorruptException e)
        {
            Promise(e.Ring == QueueDirection.Receive && e.Reason.Length > 0, "a corrupt ring is described, and only a receive ring can be");
        }

        session.CheckOwners();
    }

    // Receives and takes a frame, sends two, has them reported, and drops a long one.
    private static byte[] Script(byte features, int length)
    {
        List<byte> script = [features];
        for (int i = 0; script.Count < length; i++)
        {
            script.AddRange([6, 0x23, 60, 0]);
            script.AddRange([0, (byte)(i % 2 == 0 ? 0x1F : 0x0F)]);
            script.AddRange([1, 0, 50, 1, 8, 61, 2, 7, 3, 5]);
            script.AddRange([6, 0x01, 0, 8, 6, 0x03, 9, 0, 0, 3, 4]);
        }

        return [.. script];
    }

    private Doorbell Doorbell(long tail) => new(
        _registers.Map(new DoorbellRegister(tail, 4), 3, _registerFile.Descriptor),
        _registers.Map(new DoorbellRegister(8, 4, 1), 3, _registerFile.Descriptor));

    private sealed class Session
    {
        private readonly IgbRingTarget _target;
        private readonly VirtioFeatures _features;
        private readonly byte* _receiveRing;
        private readonly byte* _transmitRing;
        private readonly PacketPool _pool;
        private readonly ReceiveRing _receive;
        private readonly TransmitRing _transmit;
        private readonly HeldBuffers _held;
        private readonly int _capacity;
        private int _next; // Where a device that behaves goes on.

        public Session(IgbRingTarget target, VirtioFeatures features)
        {
            _target = target;
            _features = features;
            DmaRegion region = target._region;
            _receiveRing = region.At(0, RingBytes);
            RingLayout receive = RingLayout.At(RingFormat.Igb, 0, Size);
            RingLayout transmit = RingLayout.At(RingFormat.Igb, receive.End, Size);
            _transmitRing = _receiveRing + transmit.DescriptorArea;
            _pool = new PacketPool(region, Memory);
            _held = new HeldBuffers(_pool, MaxHeld);
            _receive = ReceiveRing.Create(region, _pool, new QueueGrant(QueueDirection.Receive, receive, 3), features, target._receiveDoorbell, new NetCounters());
            _transmit = TransmitRing.Create(region, _pool, new QueueGrant(QueueDirection.Transmit, transmit, 3), features, target._transmitDoorbell);
            _capacity = _transmit.FreeCount;
            _receive.Start();
        }

        public void Step(ref InputReader reader)
        {
            switch (reader.Byte() % 10)
            {
                case 0:
                    Receive(reader.Byte());
                    break;
                case 1:
                    PostOne(reader.Byte(), reader.Byte() * 8);
                    break;
                case 2:
                    _transmit.Flush();
                    break;
                case 3:
                    _ = _transmit.Reclaim();
                    break;
                case 4 when _held.Count > 0:
                    _held.ReturnLast();
                    break;
                case 5:
                    _ = _receive.TryArmEvents();
                    _ = _transmit.TryArmEvents();
                    break;
                case 6:
                    // As a device would: the next descriptor, with status and length.
                    WriteBack(_next++, reader.Byte() | (ulong)reader.Short() << IgbReceiveDescriptor.LengthShift);
                    break;
                case 7:
                    // All that were sent.
                    for (int i = 0; i < Size; i++)
                    {
                        *(ulong*)(_transmitRing + i * IgbTransmitDescriptor.Size + IgbTransmitDescriptor.CommandOffset) |= IgbTransmitDescriptor.Done;
                    }

                    break;
                case 8:
                    WriteBack(reader.Byte(), reader.Long());
                    break;
                default:
                    // Anywhere in both rings.
                    _receiveRing[reader.Short() % RingBytes] = reader.Byte();
                    break;
            }
        }

        public void CheckCounts()
        {
            _held.Check();
            Promise(_pool.FreeCount + _held.Count + Size + (_capacity - _transmit.FreeCount) == _pool.Count, "no buffer is lost or made");
            Promise(_target._written.LoadUInt32(0) < Size && _target._written.LoadUInt32(4) < Size, "a tail is a place in its ring");
        }

        public void CheckOwners() => _held.CheckOwners();

        private void WriteBack(int position, ulong status)
        {
            byte* descriptor = _receiveRing + (position & (Size - 1)) * IgbReceiveDescriptor.Size;
            *(ulong*)descriptor = ulong.MaxValue;
            *(ulong*)(descriptor + IgbReceiveDescriptor.StatusOffset) = status;
        }

        private void Receive(int choice)
        {
            Span<ReceivedFrame> batch = stackalloc ReceivedFrame[1 + choice % 16];
            int count = _receive.Receive(batch);
            Promise(count >= 0 && count < Size, "no more frames than descriptors");
            for (int i = 0; i < count; i++)
            {
                Promise(batch[i].Length > 0 && BufferLayout.FrameOffset + batch[i].Length <= BufferSize, "a frame is inside its buffer");
                Promise((batch[i].Offload & ReceiveOffload.ChecksumPartial) == 0, "no checksum is half made");
                Promise(batch[i].Offload == 0 || (_features & VirtioFeatures.NetGuestChecksum) != 0, "nobody vouches unasked");
                Span<byte> bytes = _pool.Bytes(batch[i].Buffer, BufferLayout.FrameOffset, batch[i].Length);
                bytes[^1]++;
                _held.Receive(_receive, ref batch[i], take: (choice >> 4 & 1) != 0);
            }

            _receive.Release(batch[..count]);
        }

        private void PostOne(int offset, int length)
        {
            if (!_pool.TryRent(out PacketBuffer rented))
            {
                return;
            }

            length = Math.Min(length, BufferSize - BufferLayout.FrameOffset - offset);
            bool isPosted = (_features & VirtioFeatures.NetChecksum) != 0 && length % 2 == 1
                ? _transmit.TryPost(rented, offset, length, TransmitOffload.UdpOverIpv4)
                : _transmit.TryPost(rented, offset, length);
            if (!isPosted)
            {
                _pool.Return(rented);
            }
        }
    }
}
