using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Arrakis.DataPlane.Rings;
using Arrakis.DataPlane.Storage;

namespace Arrakis;

/// <content>The way of a request: started, cut into commands, completed, flushed, ended.</content>
public sealed partial class BlockQueue
{
    /// <summary>Starts a request that was checked; completes on the poller's thread.</summary>
    /// <param name="operation">What to do.</param>
    /// <param name="block">The first block, in the area.</param>
    /// <param name="count">Blocks.</param>
    /// <param name="buffer">The buffer's place in the pool.</param>
    /// <param name="dataOffset">Where it is in queue memory.</param>
    /// <param name="durability">Whether a write is to be durable when it completes.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal ValueTask StartAsync(BlockOperation operation, long block, long count, int buffer, long dataOffset, WriteDurability durability)
    {
        if (!TryEnterToStart(out bool isEntered, out Exception? failure))
        {
            return ValueTask.FromException(failure);
        }

        PendingRequest request = Make(operation, block, count, buffer, dataOffset, durability);
        ValueTask task = request.PlainTask;
        Begin(request);
        if (isEntered)
        {
            Leave();
        }

        return task;
    }

    // Between Enter and Leave already, where it is asked from inside of a round.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryEnterToStart(out bool isEntered, [NotNullWhen(false)] out Exception? failure)
    {
        if (_reactor is { IsCurrent: false })
        {
            ThrowOtherThread();
        }

        isEntered = false;
        failure = _failure;
        if (failure is not null)
        {
            return false;
        }

        if (!IsPolling)
        {
            if (!TryEnter())
            {
                failure = Disposed();
                return false;
            }

            isEntered = true;
        }

        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private PendingRequest Make(BlockOperation operation, long block, long count, int buffer, long dataOffset, WriteDurability durability)
    {
        PendingRequest request = _free.TryPop(out PendingRequest? free) ? free : new PendingRequest(this);
        bool isDurable = durability == WriteDurability.Durable && operation == BlockOperation.Write && _isCached;
        request.Start(operation, block, count, buffer, dataOffset, isDurable && _hasForceUnitAccess, isDurable && !_hasForceUnitAccess, _reactor);
        return request;
    }

    private void Begin(PendingRequest request)
    {
        request.Tick = _tick;
        if (request.Operation == BlockOperation.Flush)
        {
            _unflushed.Add(request);
        }
        else if (!_waiting.IsEmpty || !TryIssue(request))
        {
            _waiting.Add(request);
        }
    }

    // Gives the ring all parts of a request; false where tags ran out before.
    private bool TryIssue(PendingRequest request)
    {
        bool hasData = request.Operation is BlockOperation.Read or BlockOperation.Write;
        long limit = hasData ? _maxTransferBlocks : MaxClearBlocks;
        do
        {
            if (_freeTagCount == 0)
            {
                return false;
            }

            long issued = request.Issued;
            long at = _extents.Translate(request.Block + issued, out long run);
            long count = Math.Min(Math.Min(run, request.Count - issued), limit);
            request.Issued = issued + count;
            AddCommand(
                request,
                request.ForcesUnitAccess,
                at,
                (uint)count,
                request.DataOffset + (issued << _blockShift),
                hasData ? (int)(count << _blockShift) : 0);
        }
        while (request.Issued < request.Count);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void AddCommand(PendingRequest request, bool forcesUnitAccess, long block, uint count, long dataOffset, int dataLength)
    {
        ushort tag = _freeTags[--_freeTagCount];
        ref TagState state = ref _tags[tag];
        state.Request = request;
        state.Tick = _tick;
        request.PartsLeft++;
        _commands[_commandCount++] = new BlockCommand(tag, request.Operation, forcesUnitAccess, (ulong)block, count, dataOffset, dataLength);
    }

    // Starts what waits for tags, the flush first: it lets go of more than it takes.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void IssueWaiting()
    {
        if (!_unflushed.IsEmpty && !_isFlushing)
        {
            BeginFlush();
        }

        if (!_waiting.IsEmpty)
        {
            IssueFirst();
        }
    }

    private void IssueFirst()
    {
        while (_waiting.First is { } first)
        {
            if (first.Status == BlockStatus.Success && !TryIssue(first))
            {
                return;
            }

            _ = _waiting.TryTake(out _);
            if (first.Status != BlockStatus.Success)
            {
                StopWaiting(first);
            }
        }
    }

    // What failed in a part is not begun any further.
    private void StopWaiting(PendingRequest request)
    {
        request.Issued = request.Count;
        if (request.PartsLeft == 0)
        {
            Finish(request);
        }
    }

    // One flush for all whose writes are completed by now. Who comes later needs one that begins later.
    private void BeginFlush()
    {
        if (!_isCached)
        {
            for (RequestList all = _unflushed.TakeAll(); all.TryTake(out PendingRequest? request);)
            {
                End(request); // Each completed write is durable.
            }
        }
        else if (_freeTagCount != 0)
        {
            _flushing = _unflushed.TakeAll();
            _isFlushing = true;
            _groupFlush.Start(BlockOperation.Flush, 0, 0, 0, 0, forcesUnitAccess: false, needsFlush: false, null);
            AddCommand(_groupFlush, forcesUnitAccess: false, 0, 0, 0, 0);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void GiveToRing()
    {
        if (_commandCount != 0)
        {
            int taken = _ring.Submit(_commands.AsSpan(0, _commandCount));
            _commandCount -= taken;
            if (_commandCount != 0)
            {
                _commands.AsSpan(taken, _commandCount).CopyTo(_commands);
            }

            _ring.Publish();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Complete(in BlockCompletion completion)
    {
        ref TagState state = ref _tags[completion.Tag];
        PendingRequest? request = state.Request;
        if (request is null)
        {
            OnLate(ref state);
            _freeTags[_freeTagCount++] = completion.Tag;
            return;
        }

        state.Request = null;
        _freeTags[_freeTagCount++] = completion.Tag;
        request.Note(completion.Status, completion.RawStatus);
        if (--request.PartsLeft == 0 && request.Issued == request.Count)
        {
            Finish(request);
        }
    }

    private void Finish(PendingRequest request)
    {
        if (ReferenceEquals(request, _groupFlush))
        {
            _isFlushing = false;
            for (RequestList all = _flushing.TakeAll(); all.TryTake(out PendingRequest? flushed);)
            {
                flushed.Note(request.Status, request.RawStatus);
                End(flushed);
            }
        }
        else if (request.NeedsFlush && request.Status == BlockStatus.Success)
        {
            request.Tick = _tick;
            _unflushed.Add(request);
        }
        else
        {
            End(request);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void End(PendingRequest request)
    {
        request.IsEnded = true;
        if (request.IsBatch)
        {
            _ended.Add(request);
        }
        else
        {
            request.Complete();
        }
    }

    [DoesNotReturn]
    private static void ThrowOtherThread() =>
        throw new InvalidOperationException("A reactor polls the queue: ask on its thread, by Reactor.RunAsync.");
}
