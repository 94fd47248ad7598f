using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Arrakis.DataPlane.Memory;
using Arrakis.Wire.Nvme;
using Arrakis.Wire.Rings;

namespace Arrakis.DataPlane.Rings;

/// <summary>
/// The driver's side of an NVMe queue pair (NVMe 2.0 §3.3.1): commands go into the submission queue, a store to its tail doorbell shows a
/// batch of them; what is completed is found by the phase tag, in whatever order, and given back by a store to the head doorbell. Whatever
/// the controller wrote is read once into a local and checked before use.
/// </summary>
internal sealed unsafe class NvmeQueuePair : BlockRing
{
    private const ulong PageMask = NvmeRegister.PageSize - 1;
    private const ulong SglBit = NvmeOpcode.UsesSgl;

    // In so many polls that find nothing the place behind is looked at once, for an entry whose phase tag is not what it must be.
    private const uint HoleCheckInterval = 256;

    private readonly byte* _submission;
    private readonly byte* _completion;
    private readonly byte* _lists;
    private readonly Doorbell _tailDoorbell;
    private readonly Doorbell _headDoorbell;
    private readonly byte[] _tags;
    private readonly byte* _isWithDevice; // By tag; 1 where it is. These are the bytes of _tags, which do not move.
    private readonly ulong _memory; // The device's address of queue memory.
    private readonly ulong _listAddress; // And of the first list.
    private readonly ulong _namespace; // In its place in a command's first word.
    private readonly uint _mask;
    private readonly int _shift;
    private readonly int _listStride;
    private readonly bool _usesSgl;

    // Entries counted, not positions; the size divides 2^32. Invariant: _published <= _tail.
    private uint _tail; // Commands written.
    private uint _published; // As far as the controller was told.
    private uint _head; // Completions taken.
    private uint _fetched; // A position: as far as the controller says that it has taken commands.
    private int _inFlight;
    private uint _emptyPolls;

    /// <summary>Makes the driver's side of a pair that was created with these areas, all of them zero.</summary>
    /// <param name="region">Queue memory.</param>
    /// <param name="layout">The queues, and the PRP lists of their commands.</param>
    /// <param name="tailDoorbell">Of the submission queue.</param>
    /// <param name="headDoorbell">Of the completion queue.</param>
    /// <param name="namespaceId">What commands address.</param>
    /// <param name="usesSgl">Whether data that is in more than two pages is described by an SGL descriptor and not by a PRP list.</param>
    /// <exception cref="InvalidGrantException">The areas are none of an NVMe queue pair, or lie outside of queue memory.</exception>
    public NvmeQueuePair(
        DmaRegion region, BlockQueueLayout layout, Doorbell tailDoorbell, Doorbell headDoorbell, uint namespaceId, bool usesSgl)
    {
        RingLayout ring = layout.Ring;
        if (ring.Format != RingFormat.Nvme || !layout.FitsIn(region.Length))
        {
            throw new InvalidGrantException($"{layout} is no NVMe queue pair in queue memory of {region.Length} bytes.");
        }

        _submission = region.At(ring.DescriptorArea, ring.DescriptorAreaLength);
        _completion = region.At(ring.DeviceArea, ring.DeviceAreaLength);
        _lists = region.At(layout.CommandArea, layout.CommandAreaLength);
        _listAddress = (region.Start + layout.CommandArea).Value;
        _listStride = layout.PrpListLength;
        _memory = region.Start.Value;
        _tailDoorbell = tailDoorbell;
        _headDoorbell = headDoorbell;
        _namespace = (ulong)namespaceId << 32;
        _usesSgl = usesSgl;
        _mask = (uint)ring.QueueSize - 1;
        _shift = BitOperations.Log2((uint)ring.QueueSize);
        _tags = GC.AllocateArray<byte>(ring.QueueSize - 1, pinned: true);
        _isWithDevice = (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_tags));
    }

    /// <summary>All entries of the queue but one: a full queue is one whose tail is just behind its head (NVMe 2.0 §3.3.1.5).</summary>
    public override int Depth => _tags.Length;

    /// <summary>Commands that the controller has.</summary>
    public int InFlight => _inFlight;

    /// <inheritdoc/>
    public override int Submit(ReadOnlySpan<BlockCommand> commands)
    {
        // An entry is free again once its command has been fetched, which is before it is completed.
        int count = Math.Min(commands.Length, (int)_mask - _inFlight);
        for (int done = SubmitShort(commands[..count]); done < count; done += SubmitShort(commands[done..count]))
        {
            // What is like it mostly follows.
            BlockOperation operation = commands[done].Operation;
            int length = commands[done].DataLength;
            do
            {
                SubmitOther(in commands[done++]);
            }
            while (done < count && commands[done].Operation == operation && commands[done].DataLength == length);
        }

        return count;
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public override void Publish()
    {
        if (_published != _tail)
        {
            // The store comes after those of the commands (NVMe over PCIe 1.0 §3.1.2.1): see DeviceRegister.
            _published = _tail;
            _tailDoorbell.Ring(_tail & _mask);
        }
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override int TakeCompleted(Span<BlockCompletion> completions)
    {
        // No call in the loop but those that throw: what they would clobber then stays in registers.
        byte* queue = _completion;
        byte* isWithDevice = _isWithDevice;
        uint mask = _mask;
        int shift = _shift;
        uint published = _published;
        uint head = _head;
        uint fetched = _fetched;
        uint failures = 0;
        int count = 0;
        for (; count < completions.Length; count++, head++)
        {
            byte* entry = queue + (nint)(head & mask) * NvmeCompletion.Size;

            // Acquire: the phase tag before all that it covers.
            uint last = Volatile.Read(ref *(uint*)(entry + NvmeCompletion.Dword3Offset));
            if (((last >> 16 ^ head >> shift) & 1) == 0)
            {
                break;
            }

            uint place = Volatile.Read(ref *(uint*)(entry + NvmeCompletion.Dword2Offset));
            uint tag = (ushort)last;
            if (tag >= mask || isWithDevice[tag] == 0)
            {
                ThrowId(tag);
            }

            uint submissionHead = (ushort)place;
            if (submissionHead > mask || (submissionHead - fetched & mask) > (published - fetched & mask))
            {
                ThrowHead(submissionHead);
            }

            fetched = submissionHead;
            isWithDevice[tag] = 0;
            uint code = last >> NvmeCompletion.StatusShift & NvmeStatus.CodeMask;
            failures |= code;
            completions[count] = new BlockCompletion((ushort)tag, BlockStatus.Success, (ushort)code);
        }

        if (count > 0)
        {
            _head = head;
            _fetched = fetched;
            _inFlight -= count;
            _emptyPolls = 0;
            _headDoorbell.Ring(head & mask);
            if (failures != 0)
            {
                count = Explain(completions[..count]);
            }
        }
        else if (++_emptyPolls == HoleCheckInterval)
        {
            CheckForHole();
        }

        return count;
    }

    /// <summary>The controller raises its interrupt for each completion, asked or not.</summary>
    public override bool TryArmEvents()
    {
        CheckForHole();
        return !IsNew(_head);
    }

    /// <inheritdoc/>
    public override void DisarmEvents()
    {
        // The queue has no way to say so: a poller whose completions raise interrupts leaves them in the eventfd.
    }

    // Reads and writes of up to two pages, as many as there are one after the other. Without a call, and all in locals: a store into an entry
    // might be one into a field, for all that the compiler knows.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int SubmitShort(ReadOnlySpan<BlockCommand> commands)
    {
        byte* submission = _submission;
        byte* isWithDevice = _isWithDevice;
        ulong memory = _memory;
        ulong space = _namespace;
        uint mask = _mask;
        uint tail = _tail;
        int count = 0;
        ref BlockCommand command = ref MemoryMarshal.GetReference(commands);
        for (; count < commands.Length; count++, tail++, command = ref Unsafe.Add(ref command, 1))
        {
            uint tag = command.Tag;
            ulong address = memory + (ulong)command.DataOffset;
            ulong end = (address & PageMask) + (uint)command.DataLength;
            if (tag >= mask || isWithDevice[tag] != 0 || command.Operation > BlockOperation.Write || end > 2 * NvmeRegister.PageSize)
            {
                break;
            }

            // What is written nowhere here is zero since the queue was made, and nobody else writes: dwords 2 to 5, 14 and 15. Read is 2, write is 1.
            ulong* entry = (ulong*)(submission + (nint)(tail & mask) * NvmeCommand.Size);
            entry[0] = space | tag << 16 | NvmeOpcode.Read - (uint)command.Operation;
            entry[3] = address;
            entry[4] = end > NvmeRegister.PageSize ? (address | PageMask) + 1 : 0;
            entry[5] = command.Block;
            entry[6] = command.Blocks - 1 | (command.ForceUnitAccess ? NvmeOpcode.ForceUnitAccess : 0);
            isWithDevice[tag] = 1;
        }

        _tail = tail;
        _inFlight += count;
        return count;
    }

    private void SubmitOther(in BlockCommand command)
    {
        uint tag = command.Tag;
        if (tag >= _mask || _isWithDevice[tag] != 0)
        {
            ThrowTag(tag);
        }

        ulong* entry = (ulong*)(_submission + (nint)(_tail & _mask) * NvmeCommand.Size);
        ulong first = _namespace | tag << 16;
        if (command.Operation > BlockOperation.Write)
        {
            WriteOther(entry, first, in command);
        }
        else
        {
            ulong address = _memory + (ulong)command.DataOffset;
            ulong end = (address & PageMask) + (uint)command.DataLength;
            bool isLong = end > 2 * NvmeRegister.PageSize;
            entry[4] = isLong ? DescribeMore(tag, address, (uint)command.DataLength) : end > NvmeRegister.PageSize ? (address | PageMask) + 1 : 0;
            entry[0] = first | (isLong && _usesSgl ? SglBit : 0) | NvmeOpcode.Read - (uint)command.Operation;
            entry[3] = address;
            entry[5] = command.Block;
            entry[6] = command.Blocks - 1 | (command.ForceUnitAccess ? NvmeOpcode.ForceUnitAccess : 0);
        }

        _isWithDevice[tag] = 1;
        _tail++;
        _inFlight++;
    }

    /// <summary>Whether an entry has the phase tag of its round: 1 in the first, 0 in the next (NVMe 2.0 §3.3.3.2).</summary>
    private bool IsNew(uint count) =>
        ((Volatile.Read(ref *(uint*)(_completion + (nint)(count & _mask) * NvmeCompletion.Size + NvmeCompletion.Dword3Offset)) >> 16 ^ count >> _shift) & 1) != 0;

    // Entries are written in their order: one that is new behind one that is not has a wrong phase tag, or the one before it.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void CheckForHole()
    {
        _emptyPolls = 0;
        if (_inFlight > 0 && IsNew(_head + 1) && !IsNew(_head))
        {
            throw new RingCorruptException($"The NVMe completion queue is corrupt: entry {_head + 1 & _mask} is new and the one before it is not, so one has a wrong phase tag.");
        }
    }

    // The second half of the data pointer for data in more than two pages: of an SGL data block descriptor (NVMe 2.0 §4.1.2), or a PRP list (§4.1.1).
    private ulong DescribeMore(uint tag, ulong address, uint length)
    {
        if (_usesSgl)
        {
            return length; // Then three bytes that are reserved, and the identifier of a data block, which is zero.
        }

        uint entries = (uint)((address & PageMask) + length - 1) / NvmeRegister.PageSize;
        if (entries > (uint)_listStride / sizeof(ulong))
        {
            ThrowLength(length);
        }

        ulong* list = (ulong*)(_lists + (nint)tag * _listStride);
        ulong page = (address | PageMask) + 1;

        // Four at once: a list has room for a multiple of that, and nobody reads what is too much.
        Vector256<ulong> pages = Vector256.Create(page) + Vector256.Create(0UL, 1, 2, 3) * NvmeRegister.PageSize;
        for (uint i = 0; i < entries; i += (uint)Vector256<ulong>.Count, pages += Vector256.Create(4UL * NvmeRegister.PageSize))
        {
            pages.Store(list + i);
        }

        return _listAddress + tag * (ulong)_listStride;
    }

    private void WriteOther(ulong* entry, ulong first, in BlockCommand command)
    {
        entry[3] = 0;
        entry[4] = 0;
        entry[5] = 0;
        entry[6] = 0;
        switch (command.Operation)
        {
            case BlockOperation.Flush:
                entry[0] = first | NvmeOpcode.Flush;
                break;

            case BlockOperation.Discard:
                // One range: attributes, length, start (NVM Command Set 1.0 §3.2.3). Dword 10 is the number of ranges less one.
                ulong* range = (ulong*)(_lists + (nint)command.Tag * _listStride);
                range[0] = (ulong)command.Blocks << 32;
                range[1] = command.Block;
                entry[0] = first | NvmeOpcode.DatasetManagement;
                entry[3] = _listAddress + command.Tag * (ulong)_listStride;
                entry[5] = (ulong)NvmeOpcode.DeallocateRanges << 32;
                break;

            case BlockOperation.WriteZeroes:
                if (command.Blocks > NvmeOpcode.MaxBlocks)
                {
                    ThrowBlocks(command.Blocks);
                }

                entry[0] = first | NvmeOpcode.WriteZeroes;
                entry[5] = command.Block;
                entry[6] = command.Blocks - 1 | (command.ForceUnitAccess ? NvmeOpcode.ForceUnitAccess : 0);
                break;

            default:
                throw new ArgumentOutOfRangeException(nameof(command), command.Operation, "There is no such operation.");
        }
    }

    // Gives each status its meaning. A queue is deleted by the control plane only, as it takes the binding: what was aborted by that counts as being with the
    // device still, and ends as the status page says, or by its time.
    private int Explain(Span<BlockCompletion> completions)
    {
        int kept = 0;
        foreach (BlockCompletion completion in completions)
        {
            if (completion.RawStatus == NvmeStatus.AbortedQueueDeleted)
            {
                _tags[completion.Tag] = 1;
                _inFlight++;
            }
            else
            {
                completions[kept++] = completion with { Status = NvmeBlockStatus.Of(new NvmeStatus(completion.RawStatus)) };
            }
        }

        return kept;
    }

    // Nothing but a throw, so that the compiler sees that nothing comes after.
    [DoesNotReturn]
    private void ThrowTag(uint tag) => throw BadTag(tag);

    [DoesNotReturn]
    private void ThrowId(uint tag) => throw BadId(tag);

    [DoesNotReturn]
    private void ThrowHead(uint head) => throw BadHead(head);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ArgumentException BadTag(uint tag) =>
        new(tag >= Depth ? $"Tag {tag} in a queue pair of {Depth} commands." : $"Tag {tag} is with the device already.", nameof(tag));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private RingCorruptException BadId(uint tag) => new(
        tag >= Depth
            ? $"The NVMe completion queue is corrupt: command {tag} in a queue pair of {Depth}."
            : $"The NVMe completion queue is corrupt: command {tag} is not with the device.");

    [MethodImpl(MethodImplOptions.NoInlining)]
    private RingCorruptException BadHead(uint head) => new(
        $"The NVMe completion queue is corrupt: a submission queue head of {head}, beyond what was submitted (from {_fetched} to {_published & _mask} of {_mask + 1}).");

    [DoesNotReturn]
    private void ThrowLength(uint length) =>
        throw new ArgumentOutOfRangeException(nameof(length), length, $"A request has at most {_listStride / sizeof(ulong)} pages in its list.");

    [DoesNotReturn]
    private static void ThrowBlocks(uint blocks) =>
        throw new ArgumentOutOfRangeException(nameof(blocks), blocks, $"Write zeroes takes at most {NvmeOpcode.MaxBlocks} blocks.");
}
