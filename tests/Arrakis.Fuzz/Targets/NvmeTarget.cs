using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Native.Memory;
using Arrakis.Wire.Nvme;
using Arrakis.Wire.Rings;

namespace Arrakis.Fuzz.Targets;

/// <summary>The driver's side of an NVMe queue pair against a hostile controller: what the controller writes, and the calls between, come from the input. Descriptions of controllers and namespaces likewise.</summary>
internal sealed unsafe class NvmeTarget : FuzzTarget, IDisposable
{
    private const int Size = 8;
    private const int Depth = Size - 1;
    private const uint Namespace = 1;
    private const ushort StatusMask = 0x7FFF; // all but the phase tag

    private readonly BlockQueueLayout _layout = BlockQueueLayout.At(RingFormat.Nvme, 0, Size, 4096);
    private readonly MemoryFile _file;
    private readonly MemoryFile _registerFile = MemoryFile.Create("fuzz registers", MemoryFile.BasePageSize, PagePreference.BaseOnly);
    private readonly DeviceRegisters _registers = new();
    private readonly MemoryMapping _written;
    private readonly DmaRegion _region;
    private readonly Doorbell _tail;
    private readonly Doorbell _head;

    public NvmeTarget()
    {
        long length = (_layout.End + MemoryFile.BasePageSize - 1) / MemoryFile.BasePageSize * MemoryFile.BasePageSize;
        _file = MemoryFile.Create("fuzz nvme", length, PagePreference.BaseOnly);
        _region = DmaRegion.Map(new MemoryGrant(length, MemoryFile.BasePageSize, 0x1_0000_0000, 0, length, MemoryFile.BasePageSize), _file.Descriptor);
        _written = MemoryMapping.Map(_registerFile.Descriptor, 0, MemoryFile.BasePageSize, MappingAccess.ReadWrite);
        _tail = new Doorbell(_registers.Map(new DoorbellRegister(8, sizeof(uint)), 0, _registerFile.Descriptor), null);
        _head = new Doorbell(_registers.Map(new DoorbellRegister(12, sizeof(uint)), 0, _registerFile.Descriptor), null);
    }

    public override string Name => "nvme";

    public override IReadOnlyList<byte[]> Corpus { get; } =
    [
        [0, 3, 1, 2, 2, 0, 0, 2, 1, 0, 0, 3, 7],
        .. from count in (int[])[2, 9, 30] select Script(new ushort[count]),
        .. from statuses in Statuses().Chunk(32) select Script(statuses),
        Identity(6, 4, 9),
        [.. Enumerable.Repeat((byte)0xFF, IdentifyController.Length + 64)], // a list that says more than it has room for
    ];

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
        Describe(input);
        new Span<byte>(_region.At(0, _region.Length), (int)_region.Length).Clear();
        var pair = new NvmeQueuePair(_region, _layout, _tail, _head, Namespace, usesSgl: false);
        var reader = new InputReader(input);
        var inFlight = new HashSet<ushort>();
        uint posted = 0;
        try
        {
            for (int step = 0; step < 200 && !reader.IsEmpty; step++)
            {
                Step(pair, ref reader, inFlight, ref posted);
                Promise(pair.InFlight == inFlight.Count, "what is in flight is what was submitted and not completed");
                Promise(_written.LoadUInt32(8) < Size && _written.LoadUInt32(12) < Size, "a doorbell is a place in its queue");
            }
        }
        catch (RingCorruptException e)
        {
            Promise(e.Message.Contains("NVMe completion queue", StringComparison.Ordinal), "a corrupt queue is described");
        }
    }

    // Submits, and completes in the same order as a controller that behaves: once with each status.
    private static byte[] Script(ushort[] statuses)
    {
        List<byte> script = [];
        HashSet<byte> kept = []; // Tags of commands that a deleted queue aborted: these stay with the device.
        byte tag = 0;
        foreach (ushort status in statuses)
        {
            do
            {
                tag = (byte)((tag + 1) % Depth);
            }
            while (kept.Contains(tag));
            script.AddRange([0, tag, 1, 2, tag, (byte)status, (byte)(status >> 8), 3, 1, 4]);
            if ((status & NvmeStatus.CodeMask) == NvmeStatus.AbortedQueueDeleted)
            {
                _ = kept.Add(tag);
            }
        }

        return [.. script];
    }

    // Those codes of each type that an edition of the specification has, not to be retried every other one.
    private static IEnumerable<ushort> Statuses() =>
        from type in Enumerable.Range(0, 8)
        from code in Enumerable.Range(0, 0x28).Concat(Enumerable.Range(0x80, 0x10)).Append(0xFF)
        select (ushort)(code | type << 8 | (code & 1) << 14);

    // A controller's and a namespace's description in one: what each reads lies where the other has nothing.
    private static byte[] Identity(int submission, int completion, int blockShift)
    {
        byte[] bytes = new byte[IdentifyController.Length];
        bytes[512] = (byte)(submission | submission << 4);
        bytes[513] = (byte)(completion | completion << 4);
        bytes[0] = 100;
        bytes[130] = (byte)blockShift;
        return bytes;
    }

    private static void Describe(ReadOnlySpan<byte> input)
    {
        if (IdentifyController.TryRead(input, out IdentifyController? controller, out string reason))
        {
            Promise(controller.MaxTransferLength(4096, 1 << 20) is > 0 and <= 1 << 20, "a transfer has a length");
            Promise(controller.SerialNumber.All(static letter => letter is >= ' ' and < (char)0x7F), "a serial number can be printed");
        }
        else
        {
            Promise(reason.Length > 0, "a refusal has a reason");
        }

        if (IdentifyNamespace.TryRead(input, out IdentifyNamespace space, out reason))
        {
            Promise(space.BlockCount > 0 && space.BlockSize is >= 512 and <= 65536 && space.BlockCount <= long.MaxValue / space.BlockSize, "a namespace's bytes can be counted");
        }
        else
        {
            Promise(reason.Length > 0, "a refusal has a reason");
        }

        Promise(SecondaryController.ReadList(input).Count <= 127, "a list has no more entries than there is room for");
    }

    private void Step(NvmeQueuePair pair, ref InputReader reader, HashSet<ushort> inFlight, ref uint posted)
    {
        byte* completion = _region.At(_layout.Ring.DeviceArea, _layout.Ring.DeviceAreaLength);
        switch (reader.Byte() % 6)
        {
            case 0:
                ushort tag = (ushort)(reader.Byte() % Depth);
                if (inFlight.Add(tag))
                {
                    Promise(pair.Submit([new BlockCommand(tag, BlockOperation.Flush, false, 0, 0, 0, 0)]) == 1, "there is room for all tags");
                }

                break;
            case 1:
                pair.Publish();
                break;
            case 2:
                // As a controller would: the next entry, of a command that the input names.
                byte* entry = completion + posted % Size * NvmeCompletion.Size;
                *(uint*)(entry + NvmeCompletion.Dword2Offset) = _written.LoadUInt32(8);
                *(uint*)(entry + NvmeCompletion.Dword3Offset) =
                    NvmeCompletion.ComposeDword3((ushort)(reader.Byte() % Size), posted / Size % 2 == 0, new NvmeStatus((ushort)(reader.Short() & StatusMask)));
                posted++;
                break;
            case 3:
                Span<BlockCompletion> taken = stackalloc BlockCompletion[1 + reader.Byte() % Size];
                int count = pair.TakeCompleted(taken);
                for (int i = 0; i < count; i++)
                {
                    Promise(inFlight.Remove(taken[i].Tag), "what is completed was in flight");
                    Promise((taken[i].Status == BlockStatus.Success) == (taken[i].RawStatus == 0) && Enum.IsDefined(taken[i].Status), "a status has a meaning");
                    Promise(taken[i].RawStatus != NvmeStatus.AbortedQueueDeleted, "what a deleted queue aborts ends with its binding");
                }

                break;
            case 4:
                _ = pair.TryArmEvents();
                break;
            default:
                // Anywhere in the queue.
                completion[reader.Byte() % (Size * NvmeCompletion.Size)] = reader.Byte();
                break;
        }
    }
}
