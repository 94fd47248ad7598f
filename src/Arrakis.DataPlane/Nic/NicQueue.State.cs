using System.Runtime.CompilerServices;
using Arrakis.Contract;

namespace Arrakis;

/// <content>Who polls, and what a poller sees of the binding's state.</content>
public sealed partial class NicQueue
{
    private BindingState _seenState;
    private ulong _seenLink; // Zero at first: the first poll with the link up announces the address.
    private Exception? _fault;
    private int _polling; // 1 while a thread may touch the memory.
    private int _claimed; // 1 while a reactor or Poll has the queue to itself.
    private volatile bool _closing; // Of each queue, so that its poller reads no line that others write.
    private IdleWaiter? _waiter;

    /// <summary>Whether a thread may touch the memory.</summary>
    internal bool IsPolling => Volatile.Read(ref _polling) != 0;

    /// <summary>What its poller sleeps in; null where it never does. Any thread.</summary>
    internal IdleWaiter? Waiter
    {
        get => Volatile.Read(ref _waiter);
        set => Volatile.Write(ref _waiter, value);
    }

    /// <summary>Whoever enters from now on leaves again.</summary>
    internal void Close() => _closing = true;

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
            Nic.TryClose();
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
        return Nic.TakenError() ?? (Exception)exception;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void OnStatusChanged()
    {
        BindingState state = _status.State;
        if ((Nic.TakenError() ?? _fault) is { } error)
        {
            throw error;
        }

        if (state == BindingState.RevocationRequested && _seenState != state)
        {
            Nic.AskForRevocation();
        }

        _seenState = state;
        OnLinkChanged(_status.Link);
    }

    private void OnLinkChanged(ulong link)
    {
        if (link != _seenLink && (uint)link != 0)
        {
            // A device that came back may not know this host's address, nor what was posted while it was away.
            if (Index == 0)
            {
                _arp.Announce();
            }

            _sender.Flush();
            _receiveRing.RingDoorbell();
            _transmitRing.RingDoorbell();
        }

        _seenLink = link;
    }

    /// <summary>The error of a binding whose memory was taken away.</summary>
    internal BindingRevokedException RevokedError() => Nic.RevokedByTruncation();

    private static void ThrowPolledAlready() =>
        throw new InvalidOperationException("The queue is polled already: by another thread, a reactor, or from its own handler. One at a time polls a queue.");

    private void ThrowDisposed() => throw new ObjectDisposedException(typeof(NicBinding).FullName, $"Binding {Nic.Grant.BindingId} is disposed.");
}
