using System.Text;
using Arrakis.Contract.Control;
using Arrakis.Native.Events;
using Arrakis.SoftDevice.Memory;
using Arrakis.SoftDevice.Ports.Vf;
using Arrakis.SoftDevice.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Blocks;

/// <summary>One block function: takes requests from its driver's rings and has the medium do them. Polling thread only, but where it says otherwise.</summary>
internal sealed class BlockPort : IDisposable
{
    /// <summary>Rings that a driver may have.</summary>
    public const int MaxQueues = ControlProtocol.MaxQueuePairs;

    private const int BatchLength = 32;
    private const long BatchBytes = 256 * 1024; // after as much, the neighbours have their turn

    private readonly BlockMedium _medium;
    private readonly EventRaiser _raiser;
    private readonly EventFd _attention;
    private readonly byte[] _id = new byte[VirtioBlockRequest.IdLength];
    private readonly MemoryPiece[] _status = new MemoryPiece[1];
    private readonly BlockQueue?[] _queues = new BlockQueue?[MaxQueues];
    private readonly ManualResetEventSlim _released = new();
    private BlockQueue[] _running = []; // those of the queues that run, without gaps
    private int _turn;
    private int _inFlight;
    private bool _isAwaited;
    private volatile BlockArea? _area;
    private string? _fault;

    /// <param name="index">The block function.</param>
    /// <param name="medium">What it is a part of.</param>
    /// <param name="raiser">Wakes drivers.</param>
    /// <param name="attention">Raised when the port has a fault.</param>
    public BlockPort(int index, BlockMedium medium, EventRaiser raiser, EventFd attention)
    {
        Index = index;
        _medium = medium;
        _raiser = raiser;
        _attention = attention;
        _ = Encoding.ASCII.GetBytes($"arrakis-blk{index}", _id);
    }

    /// <summary>The block function.</summary>
    public int Index { get; }

    /// <summary>What it shows; null where every request is refused. Any thread.</summary>
    public BlockArea? Area => _area;

    /// <summary>What it is a part of.</summary>
    public BlockMedium Medium => _medium;

    /// <summary>Counters; any thread may read them.</summary>
    public BlockStatistics Statistics { get; } = new();

    /// <summary>Set when something was given back that somebody waits for. Any thread.</summary>
    public ManualResetEventSlim Released => _released;

    /// <summary>Nanoseconds until it has something to do without a doorbell: none where a driver cannot ring, else <see cref="long.MaxValue"/>.</summary>
    public long TimeUntilDue => Array.Exists(_running, static queue => !queue.Ring.HasDoorbell) ? 0 : long.MaxValue;

    /// <summary>Shows another area, or with null none. False where the disk still has requests of the last one; they go on, new ones are refused until then.</summary>
    public bool TryShow(BlockArea? area)
    {
        _area = null;
        if (IsHeldBy(_inFlight))
        {
            return false;
        }

        _area = area;
        return true;
    }

    /// <summary>Starts to take requests from a ring of the driver.</summary>
    public void Attach(int index, RunningRing ring)
    {
        _queues[index] = new BlockQueue(ring);
        UpdateRunning();
        ring.Ring.RequestNotification(false);
    }

    /// <summary>Stops to. False where the disk still has requests of it.</summary>
    public bool TryDetach(int index)
    {
        if (_queues[index] is not { } queue)
        {
            return true;
        }

        queue.IsStopping = true;
        UpdateRunning();
        if (IsHeldBy(queue.InFlight))
        {
            return false;
        }

        _ = queue.Ring.PublishAndNote();
        Interlocked.MemoryBarrier();
        Wake(queue.Ring);
        _queues[index] = null;
        return true;
    }

    /// <summary>Takes requests, and does those that need no disk. Whether there was any.</summary>
    public bool Poll()
    {
        BlockQueue[] running = _running;
        if (running.Length == 0)
        {
            return false;
        }

        int taken = 0;
        long bytes = 0;
        int turn = _turn;
        for (int left = running.Length; left > 0 && taken < BatchLength && bytes < BatchBytes; left--)
        {
            BlockQueue queue = running[turn];
            while (taken < BatchLength && bytes < BatchBytes && _inFlight < MaxInFlight && queue.Ring.TryTakeRequest(out RingRequest chain))
            {
                taken++;
                if (BlockRequest.TryRead(queue.Ring.Ring, _area, _medium.BlockSize, _medium.MaxRange) is not { } request)
                {
                    queue.Ring.Ring.Kill(RingFault.RequestTooShort);
                    break;
                }

                bytes += request.Length;
                Do(queue, chain, request);
            }

            if (queue.Ring.Ring.Fault != RingFault.None)
            {
                return Break(queue.Ring);
            }

            turn = turn + 1 == running.Length ? 0 : turn + 1;
        }

        _turn = turn;

        // Truncated memory reads as zeros, which may look like a ring in which nothing comes.
        return running[0].Ring.Memory.IsFaulted ? Break(running[0].Ring) : taken != 0;
    }

    /// <summary>Shows the drivers what was done, and wakes those that asked for that.</summary>
    public void Flush()
    {
        bool any = false;
        BlockQueue[] running = _running;
        foreach (BlockQueue queue in running)
        {
            any |= queue.Ring.PublishAndNote();
        }

        if (!any)
        {
            return;
        }

        // One barrier for all rings: see DeviceRing.DriverWantsEvent.
        Interlocked.MemoryBarrier();
        foreach (BlockQueue queue in running)
        {
            if (queue.Ring.HasPublished)
            {
                Wake(queue.Ring);
            }
        }
    }

    /// <summary>The disk has given a request back.</summary>
    /// <param name="type">What it asked for.</param>
    /// <param name="status">What came of it.</param>
    /// <param name="bytes">Bytes of a read or write.</param>
    public void OnReleased(VirtioBlockType type, VirtioBlockStatus status, long bytes)
    {
        Count(type, status, bytes);
        _inFlight--;
        if (_isAwaited)
        {
            _isAwaited = false;
            _released.Set();
        }
    }

    /// <summary>Asks the driver to ring, or not to; whether it has already made something available.</summary>
    public bool RequestDoorbell(bool wanted)
    {
        bool available = false;
        foreach (BlockQueue queue in _running)
        {
            queue.Ring.Ring.RequestNotification(wanted);
            available |= queue.Ring.Ring.HasAvailable;
        }

        return available;
    }

    /// <summary>Takes the reason why the port has let go of its rings; null where it has not. Any thread.</summary>
    public string? TakeFault() => Interlocked.Exchange(ref _fault, null);

    /// <inheritdoc/>
    public void Dispose() => _released.Dispose();

    private int MaxInFlight => _medium.Disk?.MaxOfPort ?? int.MaxValue;

    private void Do(BlockQueue queue, RingRequest chain, in BlockRequest request)
    {
        DeviceRing ring = queue.Ring.Ring;
        _ = ring.Pieces(isWritten: true, ring.WritableLength - VirtioBlockRequest.StatusLength, VirtioBlockRequest.StatusLength, _status);
        VirtioBlockStatus status = request.Status;
        uint written = 0;
        if (request.Refusal != BlockRefusal.None)
        {
            Statistics.CountRefusal(request.Refusal);
        }
        else if (request.Type == VirtioBlockType.GetId)
        {
            ring.CopyToRequest(0, _id);
            written = VirtioBlockRequest.IdLength;
        }
        else if (_medium.Disk is { } disk)
        {
            _inFlight++;
            disk.Start(this, queue, chain, request, _status[0], _area!);
            return;
        }
        else
        {
            status = DoInMemory(ring, request, _area!, _medium.Mapped!);
            written = request.Type == VirtioBlockType.Read && status == VirtioBlockStatus.Ok ? (uint)request.Length : 0;
            if (status == VirtioBlockStatus.Unsupported)
            {
                Statistics.CountRefusal(BlockRefusal.Unsupported);
            }
            else
            {
                Count(request.Type, status, request.Length);
            }
        }

        _status[0].Bytes[0] = (byte)status;
        queue.Ring.Return(chain, written + VirtioBlockRequest.StatusLength);
    }

    private void Count(VirtioBlockType type, VirtioBlockStatus status, long bytes)
    {
        if (status == VirtioBlockStatus.Ok)
        {
            Statistics.CountDone(type, bytes);
        }
        else
        {
            Statistics.CountError();
        }
    }

    private static VirtioBlockStatus DoInMemory(DeviceRing ring, in BlockRequest request, BlockArea area, MappedFile file)
    {
        long done = 0;
        while (done < request.Length)
        {
            (long place, long length) = area.Find(request.Offset + done, request.Length - done);
            Span<byte> part = file.At(place, (int)length);
            switch (request.Type)
            {
                case VirtioBlockType.Read:
                    ring.CopyToRequest((ulong)done, part);
                    break;
                case VirtioBlockType.Write:
                    ring.CopyFromRequest(VirtioBlockRequest.HeaderLength + (ulong)done, part);
                    break;
                case VirtioBlockType.WriteZeroes:
                    part.Clear();
                    break;
                default:
                    return VirtioBlockStatus.Unsupported; // no discard was offered
            }

            done += length;
        }

        // Of a truncated file, what was written is nowhere, and what was read is zeros.
        return file.IsFaulted ? VirtioBlockStatus.Error : VirtioBlockStatus.Ok;
    }

    private bool IsHeldBy(int inFlight)
    {
        _isAwaited = inFlight != 0;
        _released.Reset();
        return _isAwaited;
    }

    private void Wake(RunningRing ring)
    {
        if (ring.Call is not null && ring.Ring.DriverWantsEvent)
        {
            _ = _raiser.Raise(ring.Call);
        }
    }

    private void UpdateRunning()
    {
        _running = [.. _queues.OfType<BlockQueue>().Where(static queue => !queue.IsStopping)];
        _turn = 0;
    }

    // True, as something was done. What the disk has of the rings ends on its own, and goes nowhere.
    private bool Break(RunningRing ring)
    {
        if (ring.Error is not null)
        {
            _ = _raiser.Raise(ring.Error);
        }

        foreach (BlockQueue queue in _running)
        {
            queue.IsBroken = queue.IsStopping = true;
        }

        UpdateRunning();
        Volatile.Write(ref _fault, ring.Memory.IsFaulted ? "the memory was truncated" : $"the ring is broken: {ring.Ring.Fault}");
        _attention.Signal();
        return true;
    }
}
