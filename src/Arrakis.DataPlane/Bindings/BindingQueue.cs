using System.Runtime.CompilerServices;
using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.Native.Events;

namespace Arrakis;

/// <summary>A queue of a binding: who polls it, what a poller sees of the binding's state, and the clock.</summary>
public abstract class BindingQueue
{
    private const long NanosecondsPerSecond = 1_000_000_000;

    private readonly DeviceBinding _binding;
    private readonly TimeProvider _time;
    private readonly long _clockStart;
    private readonly StatusPageReader _status;
    private readonly DmaRegion _region;
    private BindingState _seenState = BindingState.Active;
    private ulong _seenLink; // Zero at first: the first poll with the link up tells the queue so.
    private Exception? _fault;
    private long _now;
    private int _polling; // 1 while a thread may touch the memory.
    private int _claimed; // 1 while a reactor or Poll has the queue to itself.
    private volatile bool _closing; // Of each queue, so that its poller reads no line that others write.
    private IdleWaiter? _waiter;

    private protected BindingQueue(DeviceBinding binding, int index, EventFd signal)
    {
        _binding = binding;
        Index = index;
        Event = signal;
        _time = binding.Time;
        _clockStart = binding.ClockStart;
        _status = binding.Memory.Status;
        _region = binding.Memory.Region;
    }

    /// <summary>Its place among the binding's queues.</summary>
    public int Index { get; }

    /// <summary>What the device signals.</summary>
    internal EventFd Event { get; }

    /// <summary>The number of its binding.</summary>
    internal ulong BindingId => _binding.Id;

    /// <summary>Whether the memory was taken away: what was read from it lately may be zeros.</summary>
    internal bool IsFaulted => _region.IsFaulted;

    /// <summary>Whether a thread may touch the memory.</summary>
    internal bool IsPolling => Volatile.Read(ref _polling) != 0;

    /// <summary>Whether a reactor or a loop has the queue to itself.</summary>
    internal bool IsClaimed => _claimed != 0;

    /// <summary>Whether its poller has found that it cannot be used any more: it is left alone then.</summary>
    internal bool IsOver { get; private protected set; }

    /// <summary>What its poller sleeps in; null where it never does. Any thread.</summary>
    internal IdleWaiter? Waiter
    {
        get => Volatile.Read(ref _waiter);
        set => Volatile.Write(ref _waiter, value);
    }

    /// <summary>Now, in nanoseconds, as of the last look at the clock.</summary>
    internal long Now => _now;

    /// <summary>Reads the clock, in nanoseconds since the binding was made.</summary>
    internal long ReadClock()
    {
        // From the binding's start on: a provider's timestamps may be so large that they do not fit as nanoseconds.
        long elapsed = _time.GetTimestamp() - _clockStart;
        long frequency = _time.TimestampFrequency;
        return _now = frequency == NanosecondsPerSecond ? elapsed : (long)((Int128)elapsed * NanosecondsPerSecond / frequency);
    }

    /// <summary>Whoever enters from now on leaves again.</summary>
    internal void Close() => _closing = true;

    /// <summary>The memory is about to be unmapped; nobody is in it.</summary>
    internal virtual void OnClosed()
    {
    }

    /// <summary>Makes the caller the only poller, until <see cref="Unclaim"/>.</summary>
    /// <exception cref="InvalidOperationException">There is another.</exception>
    internal void Claim()
    {
        if (Interlocked.CompareExchange(ref _claimed, 1, 0) != 0)
        {
            ThrowPolledAlready();
        }

        if (Volatile.Read(ref _polling) != 0)
        {
            Unclaim();
            ThrowPolledAlready();
        }
    }

    /// <summary>Ends <see cref="Claim"/>.</summary>
    internal void Unclaim() => Volatile.Write(ref _claimed, 0);

    /// <summary>Marks that the calling thread may touch the memory, until <see cref="Leave"/>.</summary>
    /// <exception cref="ObjectDisposedException">The binding is disposed.</exception>
    /// <exception cref="InvalidOperationException">Another thread polls.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Enter()
    {
        if (!TryEnter())
        {
            throw Disposed();
        }
    }

    /// <summary>As <see cref="Enter"/>; false where the binding is disposed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryEnter()
    {
        if (_polling != 0)
        {
            ThrowPolledAlready();
        }

        Volatile.Write(ref _polling, 1);
        if (!_closing)
        {
            return true;
        }

        Leave();
        return false;
    }

    /// <summary>Ends <see cref="Enter"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Leave()
    {
        Volatile.Write(ref _polling, 0);
        if (_closing)
        {
            _binding.TryClose();
        }
    }

    /// <summary>Looks at the status page and at the memory's guard: three loads of cached lines.</summary>
    /// <exception cref="BindingRevokedException">The control plane has taken the binding.</exception>
    /// <exception cref="RingCorruptException">The device has broken the rings.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void CheckStatus()
    {
        if (_status.State != _seenState || _status.Link != _seenLink || _region.IsFaulted || _fault is not null)
        {
            OnStatusChanged();
        }
    }

    /// <summary>What an exception from the rings means: memory that was taken away reads as zeros, which looks like a corrupt ring.</summary>
    internal Exception Explain(RingCorruptException exception)
    {
        _fault = exception;
        return _binding.TakenError() ?? (Exception)exception;
    }

    /// <summary>Throws where the device's registers were taken away: now and then is enough, as nothing that the rings do depends on one.</summary>
    /// <exception cref="BindingRevokedException">They were.</exception>
    internal void CheckRegisters()
    {
        if (_binding.AreRegistersFaulted)
        {
            throw _binding.RevokedByTruncation();
        }
    }

    /// <summary>The error of a binding whose memory was taken away.</summary>
    internal BindingRevokedException RevokedError() => _binding.RevokedByTruncation();

    /// <summary>Asks the device for events, of a queue that can still be used. False where there is something to do already.</summary>
    /// <exception cref="BindingRevokedException">The control plane has taken the binding.</exception>
    /// <exception cref="RingCorruptException">The device has broken the rings.</exception>
    internal bool TryArm(bool forRoom)
    {
        if (IsOver)
        {
            return true; // Others may be waited for.
        }

        if (!TryEnter())
        {
            return false; // The next poll says so.
        }

        try
        {
            return TryArmEvents(forRoom);
        }
        catch (RingCorruptException e)
        {
            throw Explain(e);
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>Ends <see cref="TryArm"/>.</summary>
    internal void Disarm()
    {
        if (!IsOver && TryEnter())
        {
            DisarmEvents();
            Leave();
        }
    }

    /// <summary>Its poller has found that it cannot be used any more.</summary>
    internal void GiveUp() => IsOver = true;

    /// <summary>Asks the device for events. False where there is something to do already. Between <see cref="Enter"/> and <see cref="Leave"/>.</summary>
    /// <param name="forRoom">Whether room in a ring is waited for too.</param>
    internal abstract bool TryArmEvents(bool forRoom);

    /// <summary>Polls again. Between <see cref="Enter"/> and <see cref="Leave"/>.</summary>
    internal abstract void DisarmEvents();

    /// <summary>The device is there, for the first time or again: it may not know what was posted while it was away.</summary>
    private protected abstract void OnLinkUp();

    /// <summary>The error of a queue whose binding is disposed.</summary>
    internal ObjectDisposedException Disposed() => new(_binding.GetType().FullName, $"Binding {_binding.Id} is disposed.");

    private protected static void ThrowPolledAlready() =>
        throw new InvalidOperationException("The queue is polled already: by another thread, a reactor, or from its own handler. One at a time polls a queue.");

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void OnStatusChanged()
    {
        BindingState state = _status.State;
        if ((_binding.TakenError() ?? _fault) is { } error)
        {
            throw error;
        }

        if (state == BindingState.RevocationRequested && _seenState != state)
        {
            _binding.AskForRevocation();
        }

        _seenState = state;
        ulong link = _status.Link;
        if (link != _seenLink && (uint)link != 0)
        {
            OnLinkUp();
        }

        _seenLink = link;
    }
}
