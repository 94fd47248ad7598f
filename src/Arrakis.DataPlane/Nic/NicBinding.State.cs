using System.Diagnostics;
using Arrakis.Contract;

namespace Arrakis;

/// <content>State, revocation and the end of a binding.</content>
public sealed partial class NicBinding
{
    // A revocation truncates the memory and then writes the status page, or the other way round: how long to wait for the page.
    private static readonly TimeSpan RevocationGrace = TimeSpan.FromMilliseconds(100);

    private readonly Lock _closeLock = new();
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _askedDeadline = long.MinValue;
    private volatile bool _closeStarted;

    /// <summary>The binding's state, as the control plane has published it.</summary>
    public BindingState State
    {
        get
        {
            lock (_closeLock)
            {
                return _closeStarted ? BindingState.Released : _status.State;
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
                return !_closeStarted && _status.LinkUp;
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
                return _closeStarted ? 0 : _status.LinkEpoch;
            }
        }
    }

    /// <summary>Throws where the control plane has taken the binding.</summary>
    /// <exception cref="BindingRevokedException">It has.</exception>
    public void ThrowIfRevoked()
    {
        lock (_closeLock)
        {
            if (!_closeStarted && IsOver(_status.State))
            {
                throw Revoked(_status.State);
            }
        }
    }

    /// <summary>Stops using the rings, unmaps their memory and gives the binding back. Waits for the poller of each queue to let go.</summary>
    public ValueTask DisposeAsync()
    {
        TryClose();
        return new ValueTask(_closed.Task);
    }

    /// <summary>Closes the binding unless a poller is at work: the last one that leaves does it then.</summary>
    internal void TryClose()
    {
        if (_closeStarted)
        {
            return;
        }

        foreach (NicQueue queue in _queues)
        {
            queue.Close();
        }

        // A poller marks itself with a plain store before it reads that its queue closes: this barrier, in all threads, makes
        // sure that it sees that or that its mark is seen here. Of two that leave at the same time, one at least sees that
        // both have left. It costs pollers nothing.
        Interlocked.MemoryBarrierProcessWide();
        if (!Array.Exists(_queues, static queue => queue.IsPolling))
        {
            StartClose();
        }
    }

    /// <summary>Why the binding is no longer this process's; null where it is. Pollers only: while one is at work, the status page stays mapped.</summary>
    internal BindingRevokedException? TakenError()
    {
        BindingState state = _status.State;
        return IsOver(state) ? Revoked(state) : _region.IsFaulted || _registers.IsFaulted ? RevokedByTruncation() : null;
    }

    /// <summary>Whether the device's registers were taken away. Pollers only.</summary>
    internal bool AreRegistersFaulted => _registers.IsFaulted;

    /// <summary>Lets the application know that the binding is asked back: once, though each poller sees it.</summary>
    internal void AskForRevocation()
    {
        RevocationRequest request = _status.Request;
        if (_onRevocationRequested is not null && Interlocked.Exchange(ref _askedDeadline, request.DeadlineNanoseconds) != request.DeadlineNanoseconds)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static work => _ = work.Binding.AskForRevocationAsync(work.Request), (Request: request, Binding: this), preferLocal: false);
        }
    }

    private static bool IsOver(BindingState state) => state is BindingState.Revoked or BindingState.Aborted or BindingState.Released;

    private async Task AskForRevocationAsync(RevocationRequest request)
    {
        try
        {
            await _onRevocationRequested!(request, this);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // A callback that fails gives nothing back: past the deadline the binding is aborted, which says so everywhere.
        }
    }

    /// <summary>The error of a binding whose memory was taken away.</summary>
    internal BindingRevokedException RevokedByTruncation()
    {
        // The real clock, whatever the binding's is: another process is waited for.
        long start = Stopwatch.GetTimestamp();
        while (!IsOver(_status.State) && Stopwatch.GetElapsedTime(start) < RevocationGrace)
        {
            Thread.SpinWait(1);
        }

        BindingState state = _status.State;
        return Revoked(IsOver(state) ? state : BindingState.Revoked);
    }

    private BindingRevokedException Revoked(BindingState state) =>
        new(Grant.BindingId, Grant.Generation, state, _status.ReadRepossessionVector());

    private void StartClose()
    {
        lock (_closeLock)
        {
            if (_closeStarted)
            {
                return;
            }

            _closeStarted = true;
            _region.Dispose();
            _registers.Dispose();
            _status.Dispose();
            CloseDescriptors();
        }

        ThreadPool.UnsafeQueueUserWorkItem(static binding => _ = binding.ReleaseAsync(), this, preferLocal: false);
    }

    private async Task ReleaseAsync()
    {
        try
        {
            await _release(this);
            _closed.SetResult();
        }
        catch (Exception e)
        {
            _closed.SetException(e);
        }
    }
}
