using System.Diagnostics;
using System.Runtime.CompilerServices;
using Arrakis.Contract;

namespace Arrakis;

/// <content>State, revocation and the end of a binding.</content>
public sealed partial class NicBinding
{
    // A revocation truncates the memory and then writes the status page, or the other way round: how long to wait for the page.
    private static readonly TimeSpan RevocationGrace = TimeSpan.FromMilliseconds(100);

    private readonly Lock _closeLock = new();
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private BindingState _seenState;
    private ulong _seenLink; // Zero at first: the first poll with the link up announces the address.
    private Exception? _fault;
    private bool _closeStarted;
    private int _polling; // 1 while a thread may touch the memory.
    private int _claimed; // 1 while a reactor or Poll has the binding to itself.
    private volatile bool _closing;

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

    /// <summary>Stops using the rings, unmaps their memory and gives the binding back. Waits for the poller to let go.</summary>
    public ValueTask DisposeAsync()
    {
        _closing = true;

        // The poller marks itself with a plain store before it reads _closing: this barrier, in all threads, makes sure that
        // it sees _closing or that its mark is seen here. It costs the poller nothing.
        Interlocked.MemoryBarrierProcessWide();
        if (Volatile.Read(ref _polling) == 0)
        {
            StartClose();
        }

        return new ValueTask(_closed.Task);
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
            ThrowDisposed();
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
            StartClose();
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
        BindingState state = _status.State;
        return IsOver(state) ? Revoked(state) : _region.IsFaulted ? RevokedByTruncation() : exception;
    }

    private static bool IsOver(BindingState state) => state is BindingState.Revoked or BindingState.Aborted or BindingState.Released;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void OnStatusChanged()
    {
        BindingState state = _status.State;
        if (IsOver(state))
        {
            throw Revoked(state);
        }

        if (_region.IsFaulted)
        {
            throw RevokedByTruncation();
        }

        if (_fault is not null)
        {
            throw _fault;
        }

        if (state == BindingState.RevocationRequested && _seenState != state && _onRevocationRequested is not null)
        {
            RevocationRequest request = _status.Request;
            ThreadPool.UnsafeQueueUserWorkItem(static work => _ = work.Binding.AskForRevocationAsync(work.Request), (Request: request, Binding: this), preferLocal: false);
        }

        _seenState = state;
        OnLinkChanged(_status.Link);
    }

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

    private void OnLinkChanged(ulong link)
    {
        if (link != _seenLink && (uint)link != 0)
        {
            // A device that came back may not know this host's address, nor what was posted while it was away.
            _arp.Announce();
            _sender.Flush();
            _receiveRing.RingDoorbell();
            _transmitRing.RingDoorbell();
        }

        _seenLink = link;
    }

    /// <summary>The error of a binding whose memory was taken away.</summary>
    internal BindingRevokedException RevokedError() => RevokedByTruncation();

    private BindingRevokedException RevokedByTruncation()
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

    private static void ThrowPolledAlready() =>
        throw new InvalidOperationException("The binding is polled already: by another thread, a reactor, or from its own handler. One at a time polls a binding.");

    private void ThrowDisposed() => throw new ObjectDisposedException(GetType().FullName, $"Binding {Grant.BindingId} is disposed.");
}
