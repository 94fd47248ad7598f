using System.Runtime.CompilerServices;
using Arrakis.Contract;
using Arrakis.DataPlane.Storage;

namespace Arrakis;

/// <content>Who polls: a loop of one's own, or a reactor.</content>
public sealed partial class BlockQueue
{
    /// <summary>Starts requests whose results <see cref="Poll(Span{BlockResult})"/> gives. The device may see them at the next poll only.</summary>
    /// <remarks>What the binding or the device cannot do ends with <see cref="BlockStatus.ReadOnly"/> or <see cref="BlockStatus.Unsupported"/>.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">Blocks outside of the area, or more than the buffer has; none of the requests was started.</exception>
    /// <exception cref="InvalidOperationException">A buffer's handle is stale, or a reactor polls.</exception>
    /// <exception cref="BindingRevokedException">The control plane has taken the binding.</exception>
    /// <exception cref="RingCorruptException">The device has broken the ring.</exception>
    /// <exception cref="ObjectDisposedException">The binding was disposed.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Submit(ReadOnlySpan<BlockRequest> requests)
    {
        var area = (StorageArea)Area;
        if (_reactor is not null)
        {
            ThrowPolledAlready();
        }

        foreach (ref readonly BlockRequest request in requests)
        {
            area.Check(in request);
        }

        if (!TryEnterToStart(out bool isEntered, out Exception? failure))
        {
            throw failure;
        }

        foreach (ref readonly BlockRequest asked in requests)
        {
            bool hasData = asked.Operation is BlockOperation.Read or BlockOperation.Write;
            PendingRequest request = Make(
                asked.Operation, asked.Block, asked.Count, asked.Buffer.Index, hasData ? Buffers.OffsetOf(asked.Buffer) : 0, asked.Durability);
            request.TellByResult(asked.Token);
            if (area.IsToBeDone(asked.Operation, out BlockStatus refusal))
            {
                Begin(request);
            }
            else
            {
                request.Note(refusal, 0);
                End(request);
            }
        }

        if (isEntered)
        {
            Leave();
        }
    }

    /// <summary>Shows the device what was asked for, and takes what it has completed; code that awaits requests of <see cref="Area"/> goes on in here.</summary>
    /// <param name="results">Takes the results of submitted requests; what does not fit comes with the next call.</param>
    /// <returns>How many results there are.</returns>
    /// <exception cref="BindingRevokedException">The control plane has taken the binding; what was asked for is lost with it.</exception>
    /// <exception cref="RingCorruptException">The device has broken the ring; likewise.</exception>
    /// <exception cref="ObjectDisposedException">The binding was disposed.</exception>
    /// <exception cref="InvalidOperationException">Another thread or a reactor polls, or code that goes on in here does.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int Poll(Span<BlockResult> results)
    {
        _ = Poll();
        int count = 0;
        while (count < results.Length && _ended.TryTake(out PendingRequest? request))
        {
            results[count++] = new BlockResult(request.Token, request.Status, request.RawStatus);
            Return(request);
        }

        return count;
    }

    /// <summary>As <see cref="Poll(Span{BlockResult})"/>, where all requests are awaited. Returns the commands completed.</summary>
    /// <inheritdoc cref="Poll(Span{BlockResult})"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int Poll()
    {
        if (IsClaimed)
        {
            ThrowPolledAlready();
        }

        Enter();
        try
        {
            return Round();
        }
        catch (RingCorruptException e)
        {
            Fail(Explain(e));
            throw _failure!;
        }
        catch (BindingRevokedException e)
        {
            Fail(e);
            throw;
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>Makes a reactor the poller.</summary>
    internal void Attach(Reactor reactor, IdleWaiter waiter)
    {
        Claim();
        _reactor = reactor;
        Waiter = waiter;
    }

    /// <summary>The reactor has ended: what it waited for fails.</summary>
    internal void Detach()
    {
        // What goes on in here and asks for more is told the same.
        Exception? before = _failure;
        _failure = before ?? new ObjectDisposedException(nameof(Reactor));
        EndAll(_failure);
        _failure = before;
        _reactor = null;
        Waiter = null;
        Unclaim();
    }

    /// <summary>Begins a round of the reactor, until <see cref="BindingQueue.Leave"/>. False where the queue is no longer to be used.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryEnterRound()
    {
        if (IsOver)
        {
            return false;
        }

        if (TryEnter())
        {
            return true;
        }

        Fail(Disposed());
        return false;
    }

    /// <summary>One look at the ring, of a reactor. Returns the commands completed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal int PollRound()
    {
        try
        {
            return Round();
        }
        catch (RingCorruptException e)
        {
            Fail(Explain(e));
        }
        catch (BindingRevokedException e)
        {
            Fail(e);
        }

        return 1;
    }

    /// <inheritdoc/>
    internal override bool TryArmEvents(bool forRoom)
    {
        try
        {
            CheckStatus();
            LookAtClock(); // Also while it sleeps most of the time, requests get older.
            IssueWaiting();
            GiveToRing();
            return _ring.TryArmEvents();
        }
        catch (RingCorruptException e)
        {
            Fail(Explain(e));
        }
        catch (BindingRevokedException e)
        {
            Fail(e);
        }

        return false;
    }

    /// <inheritdoc/>
    internal override void DisarmEvents() => _ring.DisarmEvents();

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int Round()
    {
        CheckStatus();
        if ((++_polls & (PollsPerClock - 1)) == 0)
        {
            LookAtClock();
        }

        IssueWaiting();
        GiveToRing();
        int count = _ring.TakeCompleted(_completions);
        if (count == 0)
        {
            return 0;
        }

        for (int i = 0; i < count; i++)
        {
            Complete(in _completions[i]);
        }

        // At once: somebody waits for it.
        IssueWaiting();
        GiveToRing();
        return count;
    }
}
