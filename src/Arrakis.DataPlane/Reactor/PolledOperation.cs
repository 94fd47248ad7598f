using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;
using System.Threading.Tasks.Sources;

namespace Arrakis;

/// <summary>
/// An operation that a poller completes, awaitable again and again. Code that waits on the reactor's thread, or on that of a
/// loop of one's own, goes on inside of the completion, without a queue; elsewhere it goes on in its own context.
/// </summary>
/// <remarks>
/// As ManualResetValueTaskSourceCore, but that posts to a SynchronizationContext even on its own thread.
/// One completion and one await a use; both may be on different threads.
/// </remarks>
internal abstract class PolledOperation<TResult> : IValueTaskSource<TResult>, IValueTaskSource
{
    private static readonly Action<object?> s_completed = static _ => throw new InvalidOperationException("A completed operation's mark was called.");

    private Action<object?>? _continuation; // Or s_completed.
    private object? _continuationState;
    private object? _scheduler; // A SynchronizationContext, a TaskScheduler, or null.
    private ExecutionContext? _executionContext;
    private bool _inline;
    private short _version;
    private TResult? _result;
    private Exception? _error;

    /// <summary>The reactor that completes it; null where a loop of the application's own does.</summary>
    private protected Reactor? Poller { get; set; }

    /// <summary>Distinguishes one use from the next.</summary>
    public short Version => _version;

    /// <summary>The awaitable of this use.</summary>
    public ValueTask<TResult> Task => new(this, _version);

    /// <summary>The awaitable of this use, where the result says nothing.</summary>
    public ValueTask PlainTask => new(this, _version);

    /// <summary>Completes; on the reactor's thread.</summary>
    public void SetResult(TResult result)
    {
        _result = result;
        Complete();
    }

    /// <summary>Completes; on the reactor's thread, or where the reactor has ended.</summary>
    public void SetException(Exception error)
    {
        _error = error;
        Complete();
    }

    public ValueTaskSourceStatus GetStatus(short token)
    {
        CheckVersion(token);
        return !ReferenceEquals(Volatile.Read(ref _continuation), s_completed) ? ValueTaskSourceStatus.Pending
            : _error is null ? ValueTaskSourceStatus.Succeeded
            : _error is OperationCanceledException ? ValueTaskSourceStatus.Canceled
            : ValueTaskSourceStatus.Faulted;
    }

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        CheckVersion(token);
        if (Volatile.Read(ref _continuation) is { } other && !ReferenceEquals(other, s_completed))
        {
            ThrowAwaited(); // Before anything of the first await is overwritten.
        }

        _continuationState = state;
        _executionContext = (flags & ValueTaskSourceOnCompletedFlags.FlowExecutionContext) != 0 ? ExecutionContext.Capture() : null;
        _scheduler = (flags & ValueTaskSourceOnCompletedFlags.UseSchedulingContext) != 0 ? CaptureScheduler() : null;
        _inline = _scheduler is null && Poller is not { IsCurrent: false };
        if (_scheduler is not null && ReferenceEquals(_scheduler, Poller?.Context))
        {
            _scheduler = null;
            _inline = true;
        }

        Action<object?>? before = Interlocked.CompareExchange(ref _continuation, continuation, null);
        if (before is null)
        {
            return;
        }

        if (!ReferenceEquals(before, s_completed))
        {
            ThrowAwaited();
        }

        // Completed between the look at the status and here: as any completed operation, go on later and not in here.
        if (_inline && Poller is not null)
        {
            Poller.Post(new SendOrPostCallback(continuation), state);
        }
        else
        {
            Schedule(continuation, state);
        }
    }

    public TResult GetResult(short token)
    {
        CheckVersion(token);
        if (!ReferenceEquals(Volatile.Read(ref _continuation), s_completed))
        {
            throw new InvalidOperationException("The operation is not completed yet.");
        }

        Exception? error = _error;
        TResult result = _result!;
        _version++;
        _error = null;
        _result = default;
        _continuationState = null;
        _scheduler = null;
        _executionContext = null;
        Volatile.Write(ref _continuation, null);
        OnConsumed();
        if (error is not null)
        {
            ExceptionDispatchInfo.Throw(error);
        }

        return result;
    }

    void IValueTaskSource.GetResult(short token) => GetResult(token);

    /// <summary>The result was taken: the operation may be used again.</summary>
    protected abstract void OnConsumed();

    private static object? CaptureScheduler()
    {
        SynchronizationContext? context = SynchronizationContext.Current;
        return context is not null && context.GetType() != typeof(SynchronizationContext) ? context
            : TaskScheduler.Current != TaskScheduler.Default ? TaskScheduler.Current
            : null;
    }

    private void Complete()
    {
        Action<object?>? continuation = Volatile.Read(ref _continuation) ?? Interlocked.CompareExchange(ref _continuation, s_completed, null);
        if (continuation is null)
        {
            return;
        }

        object? state = _continuationState;
        Volatile.Write(ref _continuation, s_completed);
        if (!_inline)
        {
            Schedule(continuation, state);
        }
        else if (_executionContext is { } context)
        {
            ExecutionContext.Run(context, static s => ((Continuation)s!).Run(), new Continuation(continuation, state));
        }
        else
        {
            continuation(state);
        }
    }

    private void Schedule(Action<object?> continuation, object? state)
    {
        switch (_scheduler)
        {
            case SynchronizationContext context:
                context.Post(static s => ((Continuation)s!).Run(), new Continuation(continuation, state));
                break;
            case TaskScheduler scheduler:
                _ = System.Threading.Tasks.Task.Factory.StartNew(continuation, state, CancellationToken.None, TaskCreationOptions.DenyChildAttach, scheduler);
                break;
            default:
                _ = ThreadPool.UnsafeQueueUserWorkItem(continuation, state, preferLocal: true);
                break;
        }
    }

    private void CheckVersion(short token)
    {
        if (token != _version)
        {
            ThrowUsed();
        }
    }

    [DoesNotReturn]
    private static void ThrowUsed() => throw new InvalidOperationException("The ValueTask was awaited before; await it once.");

    [DoesNotReturn]
    private static void ThrowAwaited() => throw new InvalidOperationException("The operation is awaited already; await it once.");

    private sealed class Continuation(Action<object?> action, object? state)
    {
        public void Run() => action(state);
    }
}
