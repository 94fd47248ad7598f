using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.DataPlane.Storage;

namespace Arrakis;

/// <summary>
/// A block queue of a binding, with a share of its data buffers: what one thread at a time polls, by <see cref="Poll(Span{BlockResult})"/>
/// or a <see cref="Reactor"/>. Requests are asked for by <see cref="Area"/> and awaited, or by <see cref="Submit"/>, and
/// their results polled for. Both may be mixed. More of them than the ring has room for wait here.
/// </summary>
public sealed partial class BlockQueue : BindingQueue
{
    private const int BatchLength = 64;

    // Of what has no data: far below what devices take at once (an NVMe write zeroes counts blocks in 16 bits, NVM command set 1.0 §3.2.8).
    private const int MaxClearBlocks = 65536;

    private readonly BlockRing _ring;
    private readonly ExtentMap _extents;
    private readonly int _blockShift;
    private readonly int _maxTransferBlocks;
    private readonly bool _isCached; // Completed writes need a flush to be durable.
    private readonly bool _hasForceUnitAccess;
    private readonly BlockCompletion[] _completions = new BlockCompletion[BatchLength];
    private readonly BlockCommand[] _commands; // Started since the ring was last given some.
    private int _commandCount;

    // Tags that no command has: a stack, so that a lightly loaded queue uses the same lines again and again.
    private readonly ushort[] _freeTags;
    private int _freeTagCount;
    private readonly TagState[] _tags;

    private readonly Stack<PendingRequest> _free;
    private readonly PendingRequest _groupFlush;
    private RequestList _waiting; // For tags; the first may have parts with the device.
    private RequestList _unflushed; // Their writes are completed, or they are flushes: for the next flush that begins.
    private RequestList _flushing; // For the flush that is with the device.
    private bool _isFlushing;
    private RequestList _ended; // For results that were not asked for yet.
    private Exception? _failure; // For good.
    private Reactor? _reactor;

    // What the queues of a binding write must not share lines: they are made one after the other.
    private readonly byte[] _distance;

    /// <summary>Makes a queue of a binding.</summary>
    /// <param name="storage">The binding.</param>
    /// <param name="index">Which of its queues.</param>
    /// <param name="timeout">How long a request may take.</param>
    internal BlockQueue(StorageBinding storage, int index, TimeSpan timeout)
        : base(storage, index, storage.Memory.EventAt(storage.Grant.Queues[index].EventDescriptor))
    {
        Storage = storage;
        StorageGrant grant = storage.Grant;
        DmaRegion region = storage.Memory.Region;
        _ring = BlockRing.Create(storage.Memory, grant, grant.Queues[index]);
        _extents = new ExtentMap(grant.Extents);
        _blockShift = System.Numerics.BitOperations.Log2((uint)grant.BlockSize);
        _maxTransferBlocks = grant.MaxTransferLength / grant.BlockSize;
        _isCached = (grant.Capabilities & StorageCapabilities.VolatileCache) != 0;
        _hasForceUnitAccess = (grant.Capabilities & StorageCapabilities.ForceUnitAccess) != 0;
        int buffers = (int)(grant.Memory.BufferLength / grant.Memory.BufferSize / grant.Queues.Count);
        Buffers = new BlockBufferPool(region, grant.Memory.BufferOffset + (long)index * buffers * grant.Memory.BufferSize, buffers, grant.Memory.BufferSize);
        int depth = _ring.Depth;
        _commands = new BlockCommand[depth];
        _tags = new TagState[depth];
        _freeTags = new ushort[depth];
        for (int i = 0; i < depth; i++)
        {
            _freeTags[i] = (ushort)(depth - 1 - i);
        }

        _freeTagCount = depth;
        _groupFlush = new PendingRequest(this);
        _free = new Stack<PendingRequest>(2 * depth);
        for (int i = 0; i < 2 * depth; i++)
        {
            _free.Push(new PendingRequest(this));
        }

        _tickLength = Math.Max(1, (long)(timeout.TotalNanoseconds / TicksPerTimeout));
        Area = new StorageArea(this, grant);
        _distance = new byte[2 * CacheLine.Size];
    }

    /// <summary>The binding that it is of.</summary>
    public StorageBinding Storage { get; }

    /// <summary>The area, through this queue: for the thread that polls it.</summary>
    public IStorageArea Area { get; }

    /// <summary>This queue's share of the data buffers.</summary>
    public BlockBufferPool Buffers { get; }

    /// <summary>Commands that the device may have at once; what is asked beyond that waits.</summary>
    public int Depth => _ring.Depth;

    /// <summary>Why it cannot be used any more; null where it can.</summary>
    internal Exception? Failure => _failure;

    /// <summary>The ring, for who drives it alone.</summary>
    internal BlockRing Ring => _ring;

    /// <summary>Keeps a request for its next use.</summary>
    internal void Return(PendingRequest request) => _free.Push(request);

    /// <inheritdoc/>
    internal override void OnClosed()
    {
        Buffers.Close();
        if (_reactor is null)
        {
            // Nobody polls, and nobody will. A reactor does this by itself, on its own thread.
            Fail(Disposed());
        }
    }

    private protected override void OnLinkUp() => _ring.RingDoorbell();

    // What a tag stands for. With the device while it has a request, or is late: timed out, and not given back.
    private struct TagState
    {
        public PendingRequest? Request;
        public uint Tick; // When it was started.
        public int Buffer; // Of a late one: the buffer in quarantine, or -1.
        public bool IsLate;
    }
}
