using System.Runtime.ExceptionServices;
using System.Threading.Tasks.Sources;

namespace Arrakis.DataPlane.Storage;

/// <summary>
/// An append that waits until its record is durable, awaitable again and again. Code that waits on the log's own context goes on inside of
/// the completion; elsewhere in its own. All of it is for the log's one thread, so nothing here is atomic.
/// </summary>
internal sealed class AppendOperation(PersistentLog log) : IValueTaskSource<LogPosition>
{
    private Action<object?>? _continuation;
    private object? _state;
    private object? _scheduler; // A SynchronizationContext, a TaskScheduler, or null.
    private ExecutionContext? _executionContext;
    private Exception? _error;
    private short _version;
    private bool _isCompleted;

    /// <summary>The next in the log's queue, or in the list of free ones.</summary>
    public AppendOperation? Next { get; set; }

    /// <summary>What is to be appended; empty once it has been copied.</summary>
    public ReadOnlyMemory<byte> Record { get; set; }

    /// <summary>Whether it is a mark.</summary>
    public bool IsMark { get; set; }

    /// <summary>Bytes of the record that were copied; -1 before its header was.</summary>
    public int Copied { get; set; }

    /// <summary>Whether all of it was copied.</summary>
    public bool IsPlaced { get; set; }

    /// <summary>Where the record begins.</summary>
    public LogPosition Position { get; set; }

    /// <summary>The first block after the record: it is durable when all blocks before that are.</summary>
    public long EndSequence { get; set; }

    /// <summary>The awaitable of this use.</summary>
    public ValueTask<LogPosition> Task => new(this, _version);

    /// <summary>Completes.</summary>
    public void Complete(Exception? error)
    {
        _error = error;
        _isCompleted = true;
        if (_continuation is not { } continuation)
        {
            return;
        }

        object? state = _state;
        if (_executionContext is { } context)
        {
            RunIn(context, continuation, state);
            return;
        }

        switch (_scheduler)
        {
            case null:
                continuation(state);
                break;
            case SynchronizationContext synchronization when ReferenceEquals(synchronization, SynchronizationContext.Current):
                continuation(state);
                break;
            case SynchronizationContext synchronization:
                synchronization.Post(new SendOrPostCallback(continuation), state);
                break;
            default:
                _ = System.Threading.Tasks.Task.Factory.StartNew(
                    continuation, state, CancellationToken.None, TaskCreationOptions.DenyChildAttach, (TaskScheduler)_scheduler);
                break;
        }
    }

    public ValueTaskSourceStatus GetStatus(short token)
    {
        CheckVersion(token);
        return !_isCompleted ? ValueTaskSourceStatus.Pending : _error is null ? ValueTaskSourceStatus.Succeeded : ValueTaskSourceStatus.Faulted;
    }

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        CheckVersion(token);
        if (_continuation is not null)
        {
            throw new InvalidOperationException("The operation is awaited already; await it once.");
        }

        _state = state;
        _executionContext = (flags & ValueTaskSourceOnCompletedFlags.FlowExecutionContext) != 0 ? ExecutionContext.Capture() : null;
        _scheduler = (flags & ValueTaskSourceOnCompletedFlags.UseSchedulingContext) == 0 ? null
            : SynchronizationContext.Current is { } context && context.GetType() != typeof(SynchronizationContext) ? context
            : TaskScheduler.Current != TaskScheduler.Default ? TaskScheduler.Current
            : null;
        _continuation = continuation;
        if (_isCompleted)
        {
            Complete(_error); // Between the look at the status and here.
        }
    }

    public LogPosition GetResult(short token)
    {
        CheckVersion(token);
        if (!_isCompleted)
        {
            throw new InvalidOperationException("The operation is not completed yet.");
        }

        Exception? error = _error;
        LogPosition position = Position;
        _version++;
        _continuation = null;
        _state = null;
        _scheduler = null;
        _executionContext = null;
        _error = null;
        _isCompleted = false;
        Record = default;
        log.Return(this);
        if (error is not null)
        {
            ExceptionDispatchInfo.Throw(error);
        }

        return position;
    }

    private static void RunIn(ExecutionContext context, Action<object?> continuation, object? state) =>
        ExecutionContext.Run(context, static run => ((Action)run!)(), () => continuation(state));

    private void CheckVersion(short token)
    {
        if (token != _version)
        {
            throw new InvalidOperationException("The ValueTask was awaited before; await it once.");
        }
    }
}
