using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Native.Events;
using Arrakis.Native.Memory;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.Fuzz.Targets;

/// <summary>
/// The driver's side of a virtio block queue against a hostile device: format and features, requests, and what the device writes
/// into ring, requests and status bytes come from the input.
/// </summary>
internal sealed unsafe class BlockRingTarget : FuzzTarget, IDisposable
{
    private const int Size = 8;
    private const int BlockSize = 512;
    private const int DataOffset = 16384;
    private const int DataLength = 4096;

    private static readonly MemoryGrant s_memory = new(DataOffset + DataLength, 4096, 0x1_0000_0000, DataOffset, DataLength, DataLength);

    private readonly MemoryFile _file = MemoryFile.Create("fuzz", s_memory.Length, PagePreference.BaseOnly);
    private readonly EventFd _doorbell = new();
    private readonly DmaRegion _region;

    public BlockRingTarget() => _region = DmaRegion.Map(s_memory, _file.Descriptor);

    public override string Name => "block-ring";

    public override IReadOnlyList<byte[]> Corpus { get; } =
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        .. from features in (byte[])[0, 1, 2, 3, 4, 5, 6, 7]
           from length in (int[])[20, 60, 200]
           select Script(features, length),
    ];

    public void Dispose()
    {
        _region.Dispose();
        _doorbell.Dispose();
        _file.Dispose();
    }

    public override void Run(ReadOnlySpan<byte> input)
    {
        var reader = new InputReader(input);
        byte bits = reader.Byte();
        bool isPacked = (bits & 1) != 0;
        VirtioFeatures features = VirtioFeatures.Version1
            | (isPacked ? VirtioFeatures.RingPacked : 0)
            | ((bits & 2) != 0 ? VirtioFeatures.RingIndirectDescriptors : 0)
            | ((bits & 4) != 0 ? VirtioFeatures.RingEventIndex : 0);
        var layout = BlockQueueLayout.At(isPacked ? RingFormat.Packed : RingFormat.Split, 0, Size, DataLength);
        new Span<byte>(_region.At(0, _region.Length), (int)_region.Length).Clear();
        BlockRing ring = isPacked
            ? new VirtioBlockRing<PackedVirtqueue>(_region, layout, BlockSize, features, new Doorbell(_doorbell))
            : new VirtioBlockRing<SplitVirtqueue>(_region, layout, BlockSize, features, new Doorbell(_doorbell));
        var session = new Session(_region.At(0, _region.Length), layout, ring);
        try
        {
            for (int step = 0; step < 200 && !reader.IsEmpty; step++)
            {
                session.Step(ref reader);
            }
        }
        catch (RingCorruptException e)
        {
            Promise(e.Ring is null && e.Reason.Length > 0, "a corrupt ring is described");
        }
    }

    // Submits, publishes, completes what was submitted, in the ring's own order.
    private static byte[] Script(byte features, int length)
    {
        List<byte> script = [features];
        bool isIndirect = (features & 2) != 0;
        for (int i = 0; script.Count < length; i++)
        {
            byte id = (byte)(isIndirect ? i % Size : i % 2 * 3);
            script.AddRange([0, (byte)(i % 5), 1, 3, id, (byte)(i % 5 == 0 ? 255 : 1), 0, 2]);
        }

        return [.. script];
    }

    private sealed class Session(byte* memory, BlockQueueLayout layout, BlockRing ring)
    {
        private readonly Stack<ushort> _free = new(Enumerable.Range(0, ring.Depth).Reverse().Select(static tag => (ushort)tag));
        private readonly HashSet<ushort> _outstanding = [];
        private readonly BlockCompletion[] _completions = new BlockCompletion[Size];
        private int _used; // Where a device that behaves goes on.

        public void Step(ref InputReader reader)
        {
            switch (reader.Byte() % 6)
            {
                case 0:
                    Submit((BlockOperation)(reader.Byte() % 5));
                    break;
                case 1:
                    ring.Publish();
                    break;
                case 2:
                    Take();
                    break;
                case 3:
                    Complete(reader.Byte(), reader.Byte() switch { 255 => DataLength + 1, var length => length }, reader.Byte());
                    break;
                case 4:
                    memory[reader.Short() % (int)layout.End] = reader.Byte();
                    break;
                default:
                    _ = ring.TryArmEvents();
                    ring.DisarmEvents();
                    break;
            }
        }

        private void Submit(BlockOperation operation)
        {
            if (_free.TryPop(out ushort tag))
            {
                bool hasData = operation is BlockOperation.Read or BlockOperation.Write;
                Promise(
                    ring.Submit([new BlockCommand(tag, operation, false, 1, hasData ? 8u : 0, DataOffset, hasData ? DataLength : 0)]) == 1,
                    "a ring below its depth takes a command");
                _ = _outstanding.Add(tag);
            }
        }

        private void Take()
        {
            int count = ring.TakeCompleted(_completions);
            for (int i = 0; i < count; i++)
            {
                Promise(_outstanding.Remove(_completions[i].Tag), "what is completed was with the device");
                Promise(Enum.IsDefined(_completions[i].Status), "a completion has a status");
                _free.Push(_completions[i].Tag);
            }
        }

        private void Complete(uint id, int length, byte status)
        {
            memory[layout.StatusOf((int)(id % Size))] = status;
            RingLayout place = layout.Ring;
            if (place.Format == RingFormat.Split)
            {
                byte* entry = memory + place.DeviceArea + SplitFormat.EntriesOffset + (_used++ & (Size - 1)) * SplitFormat.UsedEntrySize;
                *(uint*)entry = id;
                *(uint*)(entry + sizeof(uint)) = (uint)length;
                *(ushort*)(memory + place.DeviceArea + SplitFormat.IndexOffset) = (ushort)_used;
            }
            else
            {
                byte* descriptor = memory + place.DescriptorArea + (_used & (Size - 1)) * PackedFormat.DescriptorSize;
                *(uint*)(descriptor + PackedFormat.DescriptorLengthOffset) = (uint)length;
                *(ushort*)(descriptor + PackedFormat.DescriptorIdOffset) = (ushort)id;
                *(ushort*)(descriptor + PackedFormat.DescriptorFlagsOffset) =
                    (_used & Size) == 0 ? (ushort)(DescriptorFlags.Available | DescriptorFlags.Used) : (ushort)0;
                _used++;
            }
        }
    }
}
