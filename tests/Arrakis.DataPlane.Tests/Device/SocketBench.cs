namespace Arrakis.DataPlane.Tests.Device;

/// <summary>A device, a binding and its reactor.</summary>
internal sealed class SocketBench : IAsyncDisposable
{
    public SocketBench(
        IdlePolicy idle = IdlePolicy.Adaptive,
        int queueSize = 256,
        int buffers = 1024,
        string? gateway = null,
        TimeProvider? time = null,
        Func<RevocationRequest, NicBinding, ValueTask>? onRevocation = null)
    {
        Device = new TestDevice(queueSize, buffers, gateway: gateway);
        Nic = Device.Bind(onRevocation, time);
        Reactor = Reactor.Start(Nic, core: null, idle);
    }

    public TestDevice Device { get; }

    public NicBinding Nic { get; }

    public Reactor Reactor { get; }

    /// <summary>Runs code on the reactor's thread; a task that it returns is not waited for.</summary>
    public Task<T> InvokeAsync<T>(Func<T> work) =>
        Reactor.RunAsync(() => Task.FromResult(work())).WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);

    /// <summary>Runs asynchronous code on the reactor's thread.</summary>
    public Task<T> RunAsync<T>(Func<Task<T>> work) => Reactor.RunAsync(work).WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);

    /// <summary>Runs asynchronous code on the reactor's thread.</summary>
    public Task RunAsync(Func<Task> work) => Reactor.RunAsync(work).WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);

    /// <summary>Waits for something that the reactor's thread brings about.</summary>
    public static void WaitUntil(Func<bool> condition, string what) =>
        Assert.True(SpinWait.SpinUntil(condition, TestDevice.Deadline), $"waited in vain: {what}");

    /// <summary>Waits until the reactor has handled all that it was given before.</summary>
    public async Task SettleAsync()
    {
        long given = Device.Delivered;
        WaitUntil(() => Nic.Counters.FramesReceived >= given, "frames are received");
        await InvokeAsync(() => 0);
    }

    public async ValueTask DisposeAsync()
    {
        Reactor.Dispose();
        await Nic.DisposeAsync().AsTask().WaitAsync(TestDevice.Deadline);
        Device.Dispose();
    }
}
