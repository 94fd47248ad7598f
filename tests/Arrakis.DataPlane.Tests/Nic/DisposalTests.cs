using Arrakis.DataPlane.Tests.Device;

namespace Arrakis.DataPlane.Tests.Nic;

/// <summary>The end of a binding, whoever uses it at the time.</summary>
public sealed class DisposalTests
{
    [Fact]
    public async Task A_disposed_binding_is_released_once_and_refuses_all()
    {
        using var device = new TestDevice();
        NicBinding nic = device.Bind();
        await nic.DisposeAsync();
        await nic.DisposeAsync();
        Assert.Equal(1, device.Released);
        Assert.Throws<ObjectDisposedException>(() => nic.PollOnce(NativeEchoTests.Echo));
        Assert.Throws<ObjectDisposedException>(() => nic.Poll(new PollOptions(), NativeEchoTests.Echo, TestContext.Current.CancellationToken));
        Assert.Equal(Contract.BindingState.Released, nic.State);
        Assert.False(nic.LinkUp);
        nic.ThrowIfRevoked();
    }

    [Fact]
    public async Task A_handler_that_disposes_its_binding_works_to_its_end()
    {
        using var device = new TestDevice();
        NicBinding nic = device.Bind();
        device.Deliver(TestFrames.Udp(1, 7, "last"u8));
        Task? disposal = null;
        Assert.Equal(1, nic.PollOnce((received, transmit) =>
        {
            disposal = nic.DisposeAsync().AsTask();
            Assert.Equal(0, device.Released);
            NativeEchoTests.Echo(received, transmit);
        }));
        Assert.NotNull(disposal);
        await disposal.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
        Assert.Equal(1, device.Released);
        Assert.Equal("last"u8.ToArray(), TestFrames.ReadUdp(device.TakeSentIp()).Payload);
        Assert.Throws<ObjectDisposedException>(() => nic.PollOnce(NativeEchoTests.Echo));
    }

    [Theory]
    [InlineData(IdlePolicy.Spin)]
    [InlineData(IdlePolicy.Adaptive)]
    public async Task Disposal_at_any_moment_ends_a_poller_on_another_thread(IdlePolicy idle)
    {
        for (int round = 0; round < 60; round++)
        {
            using var device = new TestDevice(queueSize: 16, buffers: 64);
            NicBinding nic = device.Bind();
            Task poller = Task.Factory.StartNew(
                () => nic.Poll(new PollOptions { Idle = idle }, NativeEchoTests.TryEcho),
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default);
            for (int i = 0; i < round; i++)
            {
                _ = device.TryDeliver(TestFrames.Udp(1, 7, "x"u8));
                _ = device.TryTakeSent();
            }

            if (round % 10 == 0 && idle == IdlePolicy.Adaptive)
            {
                SocketBench.WaitUntil(() => device.ToDriver.DriverWantsEvent, "the poller sleeps");
            }

            await nic.DisposeAsync().AsTask().WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
            await Assert.ThrowsAsync<ObjectDisposedException>(() => poller.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
            Assert.Equal(1, device.Released);
        }
    }

    [Fact]
    public async Task A_failed_release_is_reported_to_who_disposes()
    {
        using var device = new TestDevice();
        var nic = new NicBinding(device.Grant, device.Descriptors(), static _ => throw new NotSupportedException());
        await Assert.ThrowsAsync<NotSupportedException>(() => nic.DisposeAsync().AsTask().WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Binding_polling_and_disposing_leave_no_descriptor_and_no_mapping()
    {
        await Round();
        int descriptors = OpenDescriptors();
        for (int i = 0; i < 50; i++)
        {
            await Round();
        }

        Assert.Equal(descriptors, OpenDescriptors());
        string maps = await File.ReadAllTextAsync("/proc/self/maps", TestContext.Current.CancellationToken);
        Assert.DoesNotContain("test queue memory", maps, StringComparison.Ordinal);
        Assert.DoesNotContain("test status", maps, StringComparison.Ordinal);

        static async Task Round()
        {
            using var device = new TestDevice(queueSize: 16, buffers: 64);
            NicBinding nic = device.Bind();
            using (Reactor reactor = Reactor.Start(nic))
            {
                await reactor.RunAsync(() => Task.FromResult(new UdpSocket(7)));
            }

            await nic.DisposeAsync();
        }
    }

    internal static int OpenDescriptors()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return Directory.GetFileSystemEntries("/proc/self/fd").Length;
    }
}
