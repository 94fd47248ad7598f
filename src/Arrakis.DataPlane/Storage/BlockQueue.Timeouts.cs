using Arrakis.DataPlane.Storage;

namespace Arrakis;

/// <content>Requests that end without the device: their time is over, or the queue is.</content>
public sealed partial class BlockQueue
{
    // Time is counted in ticks that pass only while somebody polls: a poller that was away does not find all requests too old
    // before it has looked at the ring.
    private const int TicksPerTimeout = 8;
    private const int PollsPerClock = 64;
    private const int NoBuffer = -1;

    private readonly long _tickLength; // Nanoseconds.
    private uint _tick;
    private long _nextTick;
    private uint _polls;

    private void LookAtClock()
    {
        CheckRegisters();
        if (ReadClock() >= _nextTick)
        {
            bool isFirst = _nextTick == 0;
            _nextTick = Now + _tickLength;
            if (!isFirst)
            {
                _tick++;
                EndOverdue();
            }
        }
    }

    // The tick of a start had begun already: one more, so that none ends before its time.
    private bool IsOverdue(uint start) => _tick - start > TicksPerTimeout;

    private void EndOverdue()
    {
        for (int tag = 0; tag < _tags.Length; tag++)
        {
            if (_tags[tag].Request is { } request && IsOverdue(_tags[tag].Tick))
            {
                Abandon(tag);
                request.Note(BlockStatus.TimedOut, 0);
                if (--request.PartsLeft == 0 && request.Issued == request.Count)
                {
                    Finish(request);
                }
            }
        }

        // Both are in the order of their ticks.
        while (_waiting.First is { } first && IsOverdue(first.Tick))
        {
            _ = _waiting.TryTake(out _);
            first.Note(BlockStatus.TimedOut, 0);
            StopWaiting(first);
        }

        while (_unflushed.First is { } first && IsOverdue(first.Tick))
        {
            _ = _unflushed.TryTake(out _);
            first.Note(BlockStatus.TimedOut, 0);
            End(first);
        }
    }

    // Of a queue that goes on, the tag and the buffer stay out of use until the device gives the command back, however late: what it then still reads or
    // writes is nobody else's. A command that the ring has not taken is not the device's.
    private void Abandon(int tag)
    {
        ref TagState state = ref _tags[tag];
        PendingRequest request = state.Request!;
        state.Request = null;
        if (TryWithdraw(tag))
        {
            _freeTags[_freeTagCount++] = (ushort)tag;
            return;
        }

        state.IsLate = true;
        state.Buffer = !IsOver && request.Operation is (BlockOperation.Read or BlockOperation.Write) ? request.Buffer : NoBuffer;
        if (state.Buffer != NoBuffer)
        {
            Buffers.Quarantine(state.Buffer);
        }
    }

    private bool TryWithdraw(int tag)
    {
        for (int i = 0; i < _commandCount; i++)
        {
            if (_commands[i].Tag == tag)
            {
                _commands.AsSpan(i + 1, --_commandCount - i).CopyTo(_commands.AsSpan(i));
                return true;
            }
        }

        return false;
    }

    private void OnLate(ref TagState state)
    {
        if (!state.IsLate)
        {
            throw new RingCorruptException(null, "a command was completed that the device does not have");
        }

        state.IsLate = false;
        if (state.Buffer != NoBuffer)
        {
            Buffers.Release(state.Buffer);
        }
    }

    /// <summary>Ends all requests, and all that come.</summary>
    private void Fail(Exception failure)
    {
        if (_failure is null)
        {
            _failure = failure;
            IsOver = true;
            EndAll(failure);
        }
    }

    // Code that awaits one goes on in here, and may ask for more.
    private void EndAll(Exception error)
    {
        RequestList all = _waiting.TakeAll();
        Move(_unflushed.TakeAll(), ref all);
        Move(_flushing.TakeAll(), ref all);
        _isFlushing = false;
        for (int tag = 0; tag < _tags.Length; tag++)
        {
            if (_tags[tag].Request is not { } request)
            {
                continue;
            }

            Abandon(tag);

            // The one that is cut in parts is seen once, and may be among those that wait for tags.
            if (!ReferenceEquals(request, _groupFlush) && request.Issued == request.Count && --request.PartsLeft == 0)
            {
                all.Add(request);
            }
        }

        while (all.TryTake(out PendingRequest? request))
        {
            request.IsEnded = true;
            if (request.IsBatch)
            {
                Return(request);
            }
            else
            {
                request.SetException(error);
            }
        }
    }

    private static void Move(RequestList from, ref RequestList to)
    {
        while (from.TryTake(out PendingRequest? request))
        {
            to.Add(request);
        }
    }
}
