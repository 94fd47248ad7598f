using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Native.Events;
using Arrakis.Native.Memory;
using Arrakis.Wire;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.Fuzz.Targets;

/// <summary>
/// The driver's side of both rings against a hostile device: format and features, what the device writes, and the calls
/// between, come from the input.
/// </summary>
internal sealed unsafe class DriverRingTarget : FuzzTarget, IDisposable
{
    private const int Size = 8;
    private const int Buffers = 32;
    private const int BufferSize = 256;
    private const int BufferOffset = 4096;
    private const int Capacity = BufferSize - BufferLayout.HeaderOffset;
    private const int MaxHeld = 12;

    private static readonly VirtioFeatures[] _choices =
    [
        VirtioFeatures.RingPacked,
        VirtioFeatures.InOrder,
        VirtioFeatures.RingEventIndex,
        VirtioFeatures.RingIndirectDescriptors,
        VirtioFeatures.NetMergeableReceiveBuffers,
        VirtioFeatures.NetChecksum,
        VirtioFeatures.NetGuestChecksum,
        VirtioFeatures.NetHostUso,
    ];

    private readonly MemoryFile _file = MemoryFile.Create("fuzz", Memory.Length, PagePreference.BaseOnly);
    private readonly EventFd _doorbell = new();
    private readonly DmaRegion _region;

    public DriverRingTarget() => _region = DmaRegion.Map(Memory, _file.Descriptor);

    public override string Name => "driver-ring";

    public override IReadOnlyList<byte[]> Corpus { get; } =
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        .. from features in (byte[])[0, 1, 2, 3, 4, 5, 0x1A, 0x1B, 0xE0, 0xE1, 0xFE, 0xFF]
           from length in (int[])[14, 60, 160]
           select Script(features, length),
    ];

    /// <summary>A small grant.</summary>
    internal static Grant Grant { get; } = new()
    {
        BindingId = 1,
        Generation = 1,
        Device = "soft0",
        VirtualFunction = 0,
        Mac = new MacAddress(0x5254_0000_0001),
        Address = Ipv4Prefix.Parse("10.7.0.2/24"),
        Mtu = 150,
        Features = VirtioFeatures.Version1,
        Memory = Memory,
        Queues =
        [
            new(QueueDirection.Receive, RingLayout.At(RingFormat.Split, 0, Size), 3),
            new(QueueDirection.Transmit, RingLayout.At(RingFormat.Split, 1024, Size), 4),
        ],
    };

    private static MemoryGrant Memory => new(BufferOffset + Buffers * BufferSize, 4096, 0x1_0000_0000, BufferOffset, Buffers * BufferSize, BufferSize);

    public void Dispose()
    {
        _region.Dispose();
        _doorbell.Dispose();
        _file.Dispose();
    }

    public override void Run(ReadOnlySpan<byte> input)
    {
        var reader = new InputReader(input);
        VirtioFeatures features = Features(reader.Byte());
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
            Promise(e.Reason.Length > 0, "a corrupt ring is described");
        }

        session.CheckOwners();
    }

    private static VirtioFeatures Features(byte bits)
    {
        VirtioFeatures features = VirtioFeatures.Version1;
        for (int i = 0; i < _choices.Length; i++)
        {
            features |= (bits >> i & 1) != 0 ? _choices[i] : VirtioFeatures.None;
        }

        return features;
    }

    // Receives, takes, sends one frame and one chain, and completes them, in the rings' own order.
    private static byte[] Script(byte features, int length)
    {
        List<byte> script = [features];
        for (int i = 0; script.Count < length; i++)
        {
            byte id = (byte)(i % Size);
            script.AddRange([6, 0, id, 60, 0, 0, 0, 0]);
            script.AddRange([0, (byte)(i % 2 == 0 ? 0x1F : 0x0F)]);
            script.AddRange([1, 0, 50, 10, 2, 0, 30, 40, 50, 60, 70, 2]);
            script.AddRange([6, 1, id, 0, 0, 0, 0, 0, 3, 5]);
        }

        return [.. script];
    }

    private sealed class Session
    {
        private readonly DriverRingTarget _target;
        private readonly VirtioFeatures _features;
        private readonly RingLayout[] _layouts;
        private readonly byte* _memory;
        private readonly PacketPool _pool;
        private readonly ReceiveRing _receive;
        private readonly TransmitRing _transmit;
        private readonly HeldBuffers _held;
        private readonly int[] _used = new int[2]; // Where a device that behaves goes on, in descriptors.

        public Session(DriverRingTarget target, VirtioFeatures features)
        {
            _target = target;
            _features = features;
            RingFormat format = IsPacked ? RingFormat.Packed : RingFormat.Split;
            RingLayout receive = RingLayout.At(format, 0, Size);
            RingLayout transmit = RingLayout.At(format, receive.End + RingLayout.PartAlignment, Size);
            _layouts = [receive, transmit];
            DmaRegion region = target._region;
            _memory = region.At(0, region.Length);
            new Span<byte>(_memory, (int)region.Length).Clear();
            _pool = new PacketPool(region, Memory);
            _held = new HeldBuffers(_pool, MaxHeld);
            _receive = ReceiveRing.Create(region, _pool, new QueueGrant(QueueDirection.Receive, receive, 3), features, new Doorbell(target._doorbell));
            _transmit = TransmitRing.Create(region, _pool, new QueueGrant(QueueDirection.Transmit, transmit, 4), features, new Doorbell(target._doorbell));
            _receive.Start();
        }

        private bool IsPacked => (_features & VirtioFeatures.RingPacked) != 0;

        public void Step(ref InputReader reader)
        {
            switch (reader.Byte() % 11)
            {
                case 0:
                    Receive(reader.Byte());
                    break;
                case 1:
                    PostOne(reader.Byte() % 64, reader.Byte() % 128);
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
                    _receive.DisarmEvents();
                    _ = _transmit.TryArmEvents();
                    break;
                case 6:
                    Complete(reader.Byte() % 2, reader.Byte(), (uint)(reader.Byte() + VirtioNetHeader.Length), reader.Byte());
                    reader.Bytes(3);
                    break;
                case 7:
                    Complete(reader.Byte() % 2, reader.Word(), reader.Word(), reader.Byte());
                    break;
                case 8:
                    // num_buffers and flags of a frame.
                    byte* header = _memory + BufferOffset + reader.Byte() % Buffers * BufferSize + BufferLayout.HeaderOffset;
                    header[VirtioNetHeader.FlagsOffset] = reader.Byte();
                    header[VirtioNetHeader.BufferCountOffset] = reader.Byte();
                    break;
                case 9:
                    // Anywhere in both rings.
                    _memory[reader.Short() % (int)(_layouts[1].End + RingLayout.PartAlignment)] = reader.Byte();
                    break;
                default:
                    PostChain(ref reader);
                    break;
            }
        }

        public void CheckCounts()
        {
            _held.Check();
            int inRings = Size + (Size - _transmit.FreeCount);
            int known = _pool.FreeCount + _held.Count + inRings;

            // A descriptor of an indirect table stands for several buffers.
            bool isExact = (_features & VirtioFeatures.RingIndirectDescriptors) == 0;
            Promise(isExact ? known == _pool.Count : known <= _pool.Count, "no buffer is lost or made");
        }

        public void CheckOwners() => _held.CheckOwners();

        private void Receive(int choice)
        {
            Span<ReceivedFrame> batch = stackalloc ReceivedFrame[1 + choice % 16];
            int count = _receive.Receive(batch);
            Promise(count >= 0 && count <= Size, "no more frames than descriptors");
            for (int i = 0; i < count; i++)
            {
                int offset = batch[i].IsFollowing ? BufferLayout.HeaderOffset : BufferLayout.FrameOffset;
                Promise(batch[i].Length >= 0 && offset + batch[i].Length <= BufferSize, "a frame is inside its buffer");
                Promise(!batch[i].Continues || (i + 1 < count && batch[i + 1].IsFollowing), "a frame is whole");
                _ = _target._region.At(BufferOffset + batch[i].Buffer.Index * BufferSize, BufferSize);
                _ = _pool.Bytes(batch[i].Buffer, offset, batch[i].Length);
                _held.Receive(_receive, ref batch[i], take: (choice >> 4 & 1) != 0);
            }

            _receive.Release(batch[..count]);
        }

        private void PostOne(int offset, int length)
        {
            if (_pool.TryRent(out PacketBuffer rented) && !_transmit.TryPost(rented, offset, length))
            {
                _pool.Return(rented);
            }
        }

        private void PostChain(ref InputReader reader)
        {
            int count = 1 + reader.Byte() % 6;
            int choice = reader.Byte();
            List<TransmitSegment> segments = [];
            while (segments.Count < count && _pool.TryRent(out PacketBuffer buffer))
            {
                segments.Add(new TransmitSegment(buffer, segments.Count == 0 ? BufferLayout.FrameOffset : reader.Byte() % 128, reader.Byte() % 128));
            }

            TransmitOffload? offload = (choice & 3) switch
            {
                1 => new TransmitOffload(reader.Short(), reader.Short()),
                2 => new TransmitOffload(reader.Short(), reader.Short(), reader.Byte(), reader.Short(), reader.Short()),
                _ => null,
            };
            bool isPosted = false;
            if (segments.Count > 0 && (offload is not { } asked || (asked.Needed & ~_features) == 0))
            {
                isPosted = _transmit.TryPost([.. segments], offload);
            }

            if (!isPosted)
            {
                segments.ForEach(segment => _pool.Return(segment.Buffer));
            }
        }

        // As a device would: the next used entry and then the index, or the next used descriptor, and some after it.
        private void Complete(int queue, uint id, uint length, byte skip)
        {
            RingLayout layout = _layouts[queue];
            if (!IsPacked)
            {
                byte* used = _memory + layout.DeviceArea;
                ushort* index = (ushort*)(used + SplitFormat.IndexOffset);
                uint* entry = (uint*)(used + SplitFormat.EntriesOffset + *index % Size * SplitFormat.UsedEntrySize);
                entry[0] = id;
                entry[1] = length;
                *index += (ushort)(1 + skip % 4);
                return;
            }

            int at = _used[queue];
            byte* descriptor = _memory + layout.DescriptorArea + at % Size * PackedFormat.DescriptorSize;
            *(uint*)(descriptor + PackedFormat.DescriptorLengthOffset) = length;
            *(ushort*)(descriptor + PackedFormat.DescriptorIdOffset) = (ushort)id;
            *(ushort*)(descriptor + PackedFormat.DescriptorFlagsOffset) =
                at / Size % 2 == 0 ? (ushort)(DescriptorFlags.Available | DescriptorFlags.Used) : (ushort)0;
            _used[queue] = (at + 1 + skip % 4) % (2 * Size);
        }
    }
}
