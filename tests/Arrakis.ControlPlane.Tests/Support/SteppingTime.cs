namespace Arrakis.ControlPlane.Tests.Support;

/// <summary>A clock on which every wait is over at once, having taken as long as it was to.</summary>
internal sealed class SteppingTime : TimeProvider
{
    private long _ticks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Interlocked.Read(ref _ticks);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        _ = Interlocked.Add(ref _ticks, Math.Max(dueTime.Ticks, 0));
        _ = ThreadPool.UnsafeQueueUserWorkItem(_ => callback(state), null);
        return new Elapsed();
    }

    private sealed class Elapsed : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => true;

        public void Dispose()
        {
            // Nothing runs.
        }

        public ValueTask DisposeAsync() => default;
    }
}
