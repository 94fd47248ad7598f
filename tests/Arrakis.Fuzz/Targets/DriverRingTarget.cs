using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Native.Events;
using Arrakis.Native.Memory;
using Arrakis.Wire;
using Arrakis.Wire.Virtio;

namespace Arrakis.Fuzz.Targets;

/// <summary>The driver's side of both rings against a hostile device: what the device writes, and the calls between, come from the input.</summary>
internal sealed unsafe class DriverRingTarget : FuzzTarget, IDisposable
{
    private const int Size = 8;
    private const int Buffers = 32;
    private const int BufferSize = 256;
    private const int BufferOffset = 4096;

    private static readonly VirtqueueLayout _receiveLayout = VirtqueueLayout.At(VirtqueueFormat.Split, 0, Size);
    private static readonly VirtqueueLayout _transmitLayout = VirtqueueLayout.At(VirtqueueFormat.Split, _receiveLayout.End, Size);

    private readonly MemoryFile _file = MemoryFile.Create("fuzz", Grant.Memory.Length, PagePreference.BaseOnly);
    private readonly EventFd _doorbell = new();
    private readonly DmaRegion _region;

    public DriverRingTarget() => _region = DmaRegion.Map(Grant.Memory, _file.Descriptor);

    public override string Name => "driver-ring";

    public override IReadOnlyList<byte[]> Corpus { get; } =
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        Script(60),
        Script(120),
        Script(14),
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
        Mtu = 200,
        Features = VirtioFeatures.Version1,
        Memory = new(BufferOffset + Buffers * BufferSize, 4096, 0x1_0000_0000, BufferOffset, Buffers * BufferSize, BufferSize),
        Queues = [new(QueueDirection.Receive, _receiveLayout, 3), new(QueueDirection.Transmit, _transmitLayout, 4)],
    };

    public void Dispose()
    {
        _region.Dispose();
        _doorbell.Dispose();
        _file.Dispose();
    }

    public override void Run(ReadOnlySpan<byte> input)
    {
        byte* memory = _region.At(0, _region.Length);
        new Span<byte>(memory, (int)_region.Length).Clear();
        var pool = new PacketPool(_region, Grant.Memory);
        var receive = ReceiveRing.Create(_region, pool, Grant.Queues[0], Grant.Features, _doorbell);
        var transmit = TransmitRing.Create(_region, pool, Grant.Queues[1], Grant.Features, _doorbell);
        receive.Start();
        List<PacketBuffer> held = [];
        var reader = new InputReader(input);
        try
        {
            for (int step = 0; step < 200 && !reader.IsEmpty; step++)
            {
                Step(ref reader, memory, pool, receive, transmit, held);
                Promise(held.Distinct().Count() == held.Count, "no buffer has two owners");
                Promise(pool.FreeCount + held.Count + Size + (Size - transmit.FreeCount) == pool.Count, "no buffer is lost or made");
            }
        }
        catch (RingCorruptException e)
        {
            Promise(e.Reason.Length > 0, "a corrupt ring is described");
        }
    }

    private static void Step(ref InputReader reader, byte* memory, PacketPool pool, ReceiveRing receive, TransmitRing transmit, List<PacketBuffer> held)
    {
        switch (reader.Byte() % 10)
        {
            case 0:
                Receive(reader.Byte(), pool, receive, held);
                break;
            case 1:
                if (pool.TryRent(out PacketBuffer rented))
                {
                    if (!transmit.TryPost(rented, reader.Byte() % 64, reader.Byte() % 128))
                    {
                        pool.Return(rented);
                    }
                }

                break;
            case 2:
                transmit.Flush();
                break;
            case 3:
                _ = transmit.Reclaim();
                break;
            case 4 when held.Count > 0:
                pool.Return(held[^1]);
                held.RemoveAt(held.Count - 1);
                break;
            case 5:
                _ = receive.TryArmEvents();
                receive.DisarmEvents();
                break;
            case 6:
                Complete(memory, _receiveLayout, reader.Byte(), (uint)(reader.Byte() + 12));
                break;
            case 7:
                Complete(memory, _transmitLayout, reader.Byte(), 0);
                break;
            case 8:
                Complete(memory, reader.Byte() % 2 == 0 ? _receiveLayout : _transmitLayout, reader.Word(), reader.Word());
                break;
            default:
                // Anywhere in both rings.
                memory[reader.Short() % (int)_transmitLayout.End] = reader.Byte();
                break;
        }
    }

    private static void Receive(int choice, PacketPool pool, ReceiveRing receive, List<PacketBuffer> held)
    {
        Span<ReceivedFrame> batch = stackalloc ReceivedFrame[1 + choice % 16];
        int count = receive.Receive(batch);
        Promise(count >= 0 && count <= Size, "no more frames than descriptors");
        for (int i = 0; i < count; i++)
        {
            Promise(batch[i].Length >= 0 && batch[i].Length + VirtioNetHeader.Length <= BufferSize, "a frame is inside its buffer");
            _ = pool.Bytes(batch[i].Buffer, VirtioNetHeader.Length, batch[i].Length);
            if ((choice >> 4 & 1) != 0 && receive.TryTake(ref batch[i]))
            {
                held.Add(batch[i].Buffer);
            }
        }

        receive.Release(batch[..count]);
    }

    // As a device would: the next used entry, and then the index.
    private static void Complete(byte* memory, VirtqueueLayout layout, uint id, uint length)
    {
        byte* used = memory + layout.DeviceArea;
        ushort* index = (ushort*)(used + SplitFormat.IndexOffset);
        uint* entry = (uint*)(used + SplitFormat.EntriesOffset + *index % Size * SplitFormat.UsedEntrySize);
        entry[0] = id;
        entry[1] = length;
        ++*index;
    }

    private static byte[] Script(int length)
    {
        List<byte> script = [];
        for (int i = 0; script.Count < length; i++)
        {
            script.AddRange([6, (byte)(i % Size), 60, 0, (byte)(i % 2 == 0 ? 0x1F : 0x0F), 1, 0, 50, 2, 7, (byte)(i % Size), 3]);
        }

        return [.. script];
    }
}
