using Arrakis.Native;
using Arrakis.Native.IoUring;
using Arrakis.SoftDevice.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Blocks;

/// <summary>
/// The requests that a disk has, of all block functions. They end in any order. Data goes between the driver's memory and the disk without
/// a copy, but where the driver's is not aligned. Polling thread only.
/// </summary>
/// <remarks>
/// Flushes that come while one is under way share the next: each covers all that had completed when it began. A write that has to be durable
/// is one operation of the kernel where it is alone, and else a write that shares a flush.
/// </remarks>
internal sealed class DiskQueue : IDisposable
{
    /// <summary>Requests that the disk may have at once.</summary>
    public const int MaxRequests = 2048;

    private const int KernelDepth = 1024;
    private const int MaxRequestsOfPort = 256;
    private const int BufferCount = 4;
    private const int ZerosLength = 1 << 20;
    private const uint Alignment = VirtioBlockRequest.SectorSize; // of memory; the least that a disk may ask for is less (statx(2), stx_dio_mem_align)
    private const ulong FlushTag = ulong.MaxValue;
    private const int OperationNotSupported = -95; // EOPNOTSUPP

    private readonly IoUringQueue _kernel;
    private readonly IoVectorTable _vectors; // a row for each request, and then for each buffer between
    private readonly TransferBuffers _buffers;
    private readonly DiskRequest[] _requests = new DiskRequest[MaxRequests];
    private readonly int[] _free = new int[MaxRequests];
    private readonly Queue<int> _waitForBuffer = new(MaxRequests);
    private readonly Queue<int> _waitForRoom = new(MaxRequests);
    private readonly MemoryPiece[] _pieces = new MemoryPiece[DeviceRing.MaxChainLength];
    private TransferBuffers? _zeros; // Where the disk's file system cannot zero a range: tmpfs, or ext4 without extents.
    private List<int> _flushing = new(MaxRequests);
    private List<int> _waitForFlush = new(MaxRequests);
    private bool _isFlushing;
    private int _freeCount = MaxRequests;

    /// <param name="file">The disk's file, opened past the page cache.</param>
    /// <param name="ports">Block functions that share it.</param>
    /// <param name="submitter">How requests get to the kernel.</param>
    /// <exception cref="LinuxException">The kernel has no io_uring, or does not let this process have it.</exception>
    public DiskQueue(Descriptor file, int ports, IoUringSubmitter submitter)
    {
        MaxOfPort = Math.Min(MaxRequestsOfPort, MaxRequests / ports);
        _kernel = IoUringQueue.Open(file, KernelDepth, submitter);
        _buffers = new TransferBuffers(BufferCount, BlockRequest.MaxLength);
        _vectors = new IoVectorTable(MaxRequests + BufferCount, DeviceRing.MaxChainLength);
        for (int i = 0; i < MaxRequests; i++)
        {
            _requests[i] = new DiskRequest();
            _free[i] = MaxRequests - 1 - i;
        }
    }

    /// <summary>Requests that one port may have with the disk at once.</summary>
    public int MaxOfPort { get; }

    /// <summary>Whether the disk has anything to do.</summary>
    public bool IsBusy => _freeCount != MaxRequests;

    /// <summary>Takes a request that was read from a ring last; the port has fewer than it may.</summary>
    public void Start(BlockPort port, BlockQueue queue, RingRequest chain, in BlockRequest work, MemoryPiece status, BlockArea area)
    {
        int index = _free[--_freeCount];
        DiskRequest request = _requests[index];
        request.Port = port;
        request.Queue = queue;
        request.Chain = chain;
        request.Work = work;
        request.Status = status;
        request.Area = area;
        request.DataLength = 0;
        request.IsDurable = work.Type is VirtioBlockType.Write or VirtioBlockType.Discard or VirtioBlockType.WriteZeroes
            && (queue.Ring.Features & VirtioBlockFeatures.Flush) == 0;
        request.WritesZeros = false;
        request.IsOneDurableWrite = request.IsDurable && work.Type == VirtioBlockType.Write && _freeCount == MaxRequests - 1;
        queue.Hold();
        switch (work.Type)
        {
            case VirtioBlockType.Flush:
                JoinFlush(index);
                break;
            case VirtioBlockType.Read or VirtioBlockType.Write:
                request.DataLength = (int)work.Length;
                FillRow(index, queue.Ring.Ring, work);
                if (_vectors.IsAligned(index, Alignment))
                {
                    Issue(index);
                }
                else
                {
                    TakeBuffer(index);
                }

                break;
            default:
                Issue(index);
                break;
        }
    }

    /// <summary>Takes what the disk has done. Whether there was anything.</summary>
    public bool Poll()
    {
        bool any = false;
        while (_kernel.TryComplete(out ulong tag, out int result))
        {
            any = true;
            if (tag == FlushTag)
            {
                EndFlush(result);
            }
            else
            {
                OnPartDone((int)tag, result);
            }
        }

        while (_waitForRoom.Count != 0 && _kernel.HasRoom)
        {
            Issue(_waitForRoom.Dequeue());
        }

        if (!_isFlushing && _waitForFlush.Count != 0)
        {
            BeginFlush();
        }

        return any;
    }

    /// <summary>Shows the kernel what was started since the last time.</summary>
    public void Submit() => _kernel.Submit();

    /// <inheritdoc/>
    public void Dispose()
    {
        _kernel.Dispose();
        _vectors.Dispose();
        _buffers.Dispose();
        _zeros?.Dispose();
    }

    private void FillRow(int index, DeviceRing ring, in BlockRequest work)
    {
        _vectors.Clear(index);
        bool isRead = work.Type == VirtioBlockType.Read;
        int count = ring.Pieces(isRead, isRead ? 0 : (ulong)VirtioBlockRequest.HeaderLength, (ulong)work.Length, _pieces);
        foreach (MemoryPiece piece in _pieces.AsSpan(0, count))
        {
            if (piece.Length != 0)
            {
                _vectors.Add(index, piece.Address, piece.Length);
            }
        }
    }

    private void TakeBuffer(int index)
    {
        DiskRequest request = _requests[index];
        request.Buffer = _buffers.TryRent();
        if (request.Buffer < 0)
        {
            _waitForBuffer.Enqueue(index);
            return;
        }

        int row = RowOf(index);
        _vectors.Clear(row);
        _vectors.Add(row, _buffers.AddressOf(request.Buffer), (uint)request.DataLength);
        if (request.Work.Type == VirtioBlockType.Write)
        {
            _vectors.CopyTo(index, _buffers.Bytes(request.Buffer, request.DataLength));
        }

        Issue(index);
    }

    // The next part of a request: as much of it as is in one extent.
    private void Issue(int index)
    {
        if (!_kernel.HasRoom)
        {
            _waitForRoom.Enqueue(index);
            return;
        }

        DiskRequest request = _requests[index];
        (long place, request.PartLength) = request.Area!.Find(request.Work.Offset, request.Work.Length);
        IoUringOperation operation;
        if (request.Work.Type is VirtioBlockType.Read or VirtioBlockType.Write)
        {
            (ulong vectors, request.HeadCount) = _vectors.Head(RowOf(index), request.PartLength, out ulong rest);
            request.HeadRest = rest;
            operation = new IoUringOperation(
                request.Work.Type == VirtioBlockType.Read ? IoUringOpcode.ReadVector : IoUringOpcode.WriteVector,
                (ulong)index,
                place,
                vectors,
                (uint)request.HeadCount,
                request.IsOneDurableWrite ? IoUringOperation.Durable : 0);
        }
        else if (_zeros is not null && IsZeroRange(request))
        {
            request.WritesZeros = true;
            request.PartLength = Math.Min(request.PartLength, ZerosLength);
            _vectors.Clear(index);
            _vectors.Add(index, _zeros.AddressOf(0), (uint)request.PartLength);
            (ulong vectors, int count) = _vectors.Head(index, request.PartLength, out _);
            operation = new IoUringOperation(IoUringOpcode.WriteVector, (ulong)index, place, vectors, (uint)count, 0);
        }
        else
        {
            uint mode = IsZeroRange(request) ? IoUringOperation.ZeroRange : IoUringOperation.PunchHole;
            operation = new IoUringOperation(IoUringOpcode.Allocate, (ulong)index, place, (ulong)request.PartLength, mode, 0);
        }

        _ = _kernel.TryPrepare(operation);
    }

    private void OnPartDone(int index, int result)
    {
        DiskRequest request = _requests[index];
        if (result == OperationNotSupported && IsZeroRange(request) && !request.WritesZeros)
        {
            _zeros ??= new TransferBuffers(1, ZerosLength);
            Issue(index);
            return;
        }

        bool hasData = request.Work.Type is VirtioBlockType.Read or VirtioBlockType.Write;
        bool isTransfer = hasData || request.WritesZeros;

        // A transfer of nothing is the end of a file that was truncated.
        if (result < 0 || (isTransfer && result == 0))
        {
            Finish(index, result == OperationNotSupported ? VirtioBlockStatus.Unsupported : VirtioBlockStatus.Error);
            return;
        }

        long done = isTransfer ? result : request.PartLength;
        if (hasData)
        {
            _vectors.Advance(RowOf(index), request.HeadCount, request.HeadRest, done);
        }

        request.Work = request.Work with { Offset = request.Work.Offset + done, Length = request.Work.Length - done };
        if (request.Work.Length != 0)
        {
            Issue(index);
        }
        else if (request.IsDurable && !request.IsOneDurableWrite)
        {
            JoinFlush(index);
        }
        else
        {
            Finish(index, VirtioBlockStatus.Ok);
        }
    }

    private static bool IsZeroRange(DiskRequest request) => request.Work is { Type: VirtioBlockType.WriteZeroes, MayUnmap: false };

    private void JoinFlush(int index)
    {
        _waitForFlush.Add(index);
        if (!_isFlushing)
        {
            BeginFlush();
        }
    }

    private void BeginFlush()
    {
        if (_kernel.TryPrepare(IoUringOperation.Flush(FlushTag)))
        {
            _isFlushing = true;
            (_flushing, _waitForFlush) = (_waitForFlush, _flushing);
        }
    }

    private void EndFlush(int result)
    {
        _isFlushing = false;
        foreach (int index in _flushing)
        {
            Finish(index, result < 0 ? VirtioBlockStatus.Error : VirtioBlockStatus.Ok);
        }

        _flushing.Clear();
    }

    private void Finish(int index, VirtioBlockStatus status)
    {
        DiskRequest request = _requests[index];
        bool isRead = request.Work.Type == VirtioBlockType.Read && status == VirtioBlockStatus.Ok;
        int buffer = request.Buffer;
        if (buffer >= 0)
        {
            if (isRead)
            {
                _vectors.CopyFrom(index, _buffers.Bytes(buffer, request.DataLength));
            }

            request.Buffer = -1;
            _buffers.Return(buffer);
        }

        BlockPort port = request.Port!;
        request.Queue!.Release(request.Chain, request.Status, (byte)status, (uint)(isRead ? request.DataLength : 0) + VirtioBlockRequest.StatusLength);
        request.Queue = null;
        request.Port = null;
        request.Area = null;
        _free[_freeCount++] = index;
        port.OnReleased(request.Work.Type, status, request.DataLength);
        if (buffer >= 0 && _waitForBuffer.Count != 0)
        {
            TakeBuffer(_waitForBuffer.Dequeue());
        }
    }

    private int RowOf(int index) => _requests[index].Buffer < 0 ? index : MaxRequests + _requests[index].Buffer;
}
