using System.Diagnostics;
using Arrakis.Contract;

namespace Arrakis;

/// <summary>A part of a device in this process's hands: its state, its revocation, and its end.</summary>
public abstract class DeviceBinding : IAsyncDisposable
{
    // A revocation truncates the memory and then writes the status page, or the other way round: how long to wait for the page.
    private static readonly TimeSpan s_revocationGrace = TimeSpan.FromMilliseconds(100);

    // Registers go first, and the page is written when the device has stopped, for which the daemon has three seconds.
    private static readonly TimeSpan s_stoppingGrace = TimeSpan.FromSeconds(5);

    private readonly BindingGrant _grant;
    private readonly BindingMemory _memory;
    private readonly Lock _closeLock = new();
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private BindingQueue[] _pollers = [];
    private long _askedDeadline = long.MinValue;
    private volatile bool _closeStarted;

    private protected DeviceBinding(BindingGrant grant, BindingMemory memory, TimeProvider? time)
    {
        _grant = grant;
        _memory = memory;
        Time = time ?? TimeProvider.System;
        ClockStart = Time.GetTimestamp();
    }

    /// <summary>The binding's state, as the control plane has published it.</summary>
    public BindingState State
    {
        get
        {
            lock (_closeLock)
            {
                return _closeStarted ? BindingState.Released : _memory.Status.State;
            }
        }
    }

    /// <summary>Whether the link is up.</summary>
    public bool LinkUp
    {
        get
        {
            lock (_closeLock)
            {
                return !_closeStarted && _memory.Status.LinkUp;
            }
        }
    }

    /// <summary>How often the link has gone down: who sees the same number twice has not missed a loss in between.</summary>
    public uint LinkEpoch
    {
        get
        {
            lock (_closeLock)
            {
                return _closeStarted ? 0 : _memory.Status.LinkEpoch;
            }
        }
    }

    /// <summary>The clock.</summary>
    internal TimeProvider Time { get; }

    /// <summary>When the binding was made, as a timestamp of its clock.</summary>
    internal long ClockStart { get; }

    /// <summary>What it has mapped.</summary>
    internal BindingMemory Memory => _memory;

    /// <summary>Its number.</summary>
    internal ulong Id => _grant.BindingId;

    /// <summary>Its generation.</summary>
    internal uint Generation => _grant.Generation;

    /// <summary>Whether the device's registers were taken away. Pollers only.</summary>
    internal bool AreRegistersFaulted => _memory.Registers.IsFaulted;

    /// <summary>Throws where the control plane has taken the binding.</summary>
    /// <exception cref="BindingRevokedException">It has.</exception>
    public void ThrowIfRevoked()
    {
        lock (_closeLock)
        {
            if (!_closeStarted && IsOver(_memory.Status.State))
            {
                throw Revoked(_memory.Status.State);
            }
        }
    }

    /// <summary>Stops using the rings, unmaps their memory and gives the binding back. Waits for the poller of each queue to let go.</summary>
    public ValueTask DisposeAsync()
    {
        TryClose();
        GC.SuppressFinalize(this); // There is no finalizer; a class derived from this one could have had one.
        return new ValueTask(_closed.Task);
    }

    /// <summary>Closes the binding unless a poller is at work: the last one that leaves does it then.</summary>
    internal void TryClose()
    {
        if (_closeStarted)
        {
            return;
        }

        foreach (BindingQueue queue in _pollers)
        {
            queue.Close();
        }

        // A poller marks itself with a plain store before it reads that its queue closes: this barrier, in all threads, makes
        // sure that it sees that or that its mark is seen here. Of two that leave at the same time, one at least sees that
        // both have left. It costs pollers nothing.
        Interlocked.MemoryBarrierProcessWide();
        if (!Array.Exists(_pollers, static queue => queue.IsPolling))
        {
            StartClose();
        }
    }

    /// <summary>Why the binding is no longer this process's; null where it is. Pollers only: while one is at work, the status page stays mapped.</summary>
    internal BindingRevokedException? TakenError()
    {
        BindingState state = _memory.Status.State;
        return IsOver(state) ? Revoked(state) : _memory.Region.IsFaulted || _memory.Registers.IsFaulted ? RevokedByTruncation() : null;
    }

    /// <summary>Lets the application know that the binding is asked back: once, though each poller sees it.</summary>
    internal void AskForRevocation()
    {
        RevocationRequest request = _memory.Status.Request;
        if (WantsToBeAsked && Interlocked.Exchange(ref _askedDeadline, request.DeadlineNanoseconds) != request.DeadlineNanoseconds)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static work => _ = work.Binding.AskForRevocationAsync(work.Request), (Request: request, Binding: this), preferLocal: false);
        }
    }

    /// <summary>The error of a binding whose memory was taken away.</summary>
    internal BindingRevokedException RevokedByTruncation()
    {
        // The real clock, whatever the binding's is: another process is waited for.
        long start = Stopwatch.GetTimestamp();
        TimeSpan grace = _memory.Registers.IsFaulted ? s_stoppingGrace : s_revocationGrace;
        while (!IsOver(_memory.Status.State) && Stopwatch.GetElapsedTime(start) < grace)
        {
            Thread.SpinWait(1);
        }

        BindingState state = _memory.Status.State;
        return Revoked(IsOver(state) ? state : BindingState.Revoked);
    }

    /// <summary>Whether the application has a callback for <see cref="AskBackAsync"/>.</summary>
    private protected abstract bool WantsToBeAsked { get; }

    /// <summary>Tells the application that the binding is asked back.</summary>
    private protected abstract ValueTask AskBackAsync(RevocationRequest request);

    /// <summary>Gives the binding back to the control plane.</summary>
    private protected abstract ValueTask ReleaseAsync();

    /// <summary>Makes the queues, whose pollers are waited for at the end. Where one cannot be made, nothing stays mapped.</summary>
    /// <exception cref="InvalidGrantException">A descriptor is not what the grant says.</exception>
    private protected TQueue[] MakeQueues<TQueue>(int count, Func<int, TQueue> make)
        where TQueue : BindingQueue
    {
        var queues = new TQueue[count];
        try
        {
            for (int i = 0; i < count; i++)
            {
                queues[i] = make(i);
            }
        }
        catch (Exception e)
        {
            _memory.Dispose();
            if (BindingMemory.Explain(e) is { } explained)
            {
                throw explained;
            }

            throw;
        }

        _pollers = queues;
        return queues;
    }

    private static bool IsOver(BindingState state) => state is BindingState.Revoked or BindingState.Aborted or BindingState.Released;

    private async Task AskForRevocationAsync(RevocationRequest request)
    {
        try
        {
            await AskBackAsync(request);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // A callback that fails gives nothing back: past the deadline the binding is aborted, which says so everywhere.
        }
    }

    private BindingRevokedException Revoked(BindingState state) =>
        new(_grant.BindingId, _grant.Generation, state, _memory.Status.ReadRepossessionVector());

    private void StartClose()
    {
        lock (_closeLock)
        {
            if (_closeStarted)
            {
                return;
            }

            _closeStarted = true;
            foreach (BindingQueue queue in _pollers)
            {
                queue.OnClosed();
            }

            _memory.Dispose();
        }

        ThreadPool.UnsafeQueueUserWorkItem(static binding => _ = binding.EndAsync(), this, preferLocal: false);
    }

    private async Task EndAsync()
    {
        try
        {
            await ReleaseAsync();
            _closed.SetResult();
        }
        catch (Exception e)
        {
            _closed.SetException(e);
        }
    }
}
