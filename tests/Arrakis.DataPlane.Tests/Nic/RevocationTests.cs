using Arrakis.Contract;
using Arrakis.DataPlane.Tests.Device;

namespace Arrakis.DataPlane.Tests.Nic;

/// <summary>A binding that is asked back or taken, for who polls it.</summary>
public sealed class RevocationTests
{
    [Fact]
    public async Task A_request_reaches_the_callback_once_with_what_is_asked_and_the_deadline()
    {
        using var device = new TestDevice();
        var requests = new System.Collections.Concurrent.ConcurrentQueue<(RevocationRequest Request, NicBinding Nic)>();
        using var called = new SemaphoreSlim(0);
        await using NicBinding nic = device.Bind((request, binding) =>
        {
            requests.Enqueue((request, binding));
            called.Release();
            return default;
        });
        device.AskBack(ResourceKind.VirtualFunction, 1, 123_456_789);
        for (int i = 0; i < 100; i++)
        {
            _ = nic.PollOnce(NativeEchoTests.Echo);
        }

        Assert.True(await called.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
        Assert.Equal([(new RevocationRequest(ResourceKind.VirtualFunction, 1, 123_456_789), nic)], requests);
        Assert.Equal(BindingState.RevocationRequested, nic.State);
        PollingTests.AssertAlive(device, nic); // It works on until the deadline.

        // Withdrawn, and asked again: a second request.
        device.SetState(BindingState.Active);
        _ = nic.PollOnce(NativeEchoTests.Echo);
        device.AskBack(ResourceKind.VirtualFunction, 1, 987);
        _ = nic.PollOnce(NativeEchoTests.Echo);
        Assert.True(await called.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
        Assert.Equal(987, requests.Last().Request.DeadlineNanoseconds);
        Assert.Equal(2, requests.Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_callback_gives_the_binding_back_by_disposing_it(bool adaptive)
    {
        using var device = new TestDevice();
        NicBinding nic = device.Bind(static async (_, binding) => await binding.DisposeAsync());
        Task poller = Start(nic, adaptive ? IdlePolicy.Adaptive : IdlePolicy.Spin);
        device.AskBack(ResourceKind.VirtualFunction, 1, 1);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => poller.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
        await nic.DisposeAsync();
        Assert.Equal(1, device.Released);
    }

    [Fact]
    public async Task A_callback_that_fails_harms_nothing()
    {
        using var device = new TestDevice();
        using var called = new SemaphoreSlim(0);
        await using NicBinding nic = device.Bind((_, _) =>
        {
            called.Release();
            throw new NotSupportedException();
        });
        device.AskBack(ResourceKind.VirtualFunction, 1, 1);
        _ = nic.PollOnce(NativeEchoTests.Echo);
        Assert.True(await called.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
        PollingTests.AssertAlive(device, nic);
    }

    [Fact]
    public async Task Without_a_callback_a_request_changes_nothing()
    {
        using var device = new TestDevice();
        await using NicBinding nic = device.Bind();
        device.AskBack(ResourceKind.VirtualFunction, 1, 1);
        PollingTests.AssertAlive(device, nic);
    }

    [Theory]
    [InlineData(BindingState.Revoked)]
    [InlineData(BindingState.Aborted)]
    [InlineData(BindingState.Released)]
    public async Task A_taken_binding_says_which_it_was_and_what_was_taken(BindingState state)
    {
        using var device = new TestDevice();
        await using NicBinding nic = device.Bind();
        RepossessionEntry[] taken =
        [
            new(ResourceKind.VirtualFunction, 1, 1, 1000),
            new(ResourceKind.QueueMemory, 0, (ulong)device.Memory.Length, 2000),
        ];
        nic.ThrowIfRevoked();
        device.Record(0, taken[0]);
        device.Record(1, taken[1]);
        device.SetState(state);
        BindingRevokedException[] errors =
        [
            Assert.Throws<BindingRevokedException>(() => nic.PollOnce(NativeEchoTests.Echo)),
            Assert.Throws<BindingRevokedException>(() => nic.PollOnce(NativeEchoTests.Echo)),
            Assert.Throws<BindingRevokedException>(nic.ThrowIfRevoked),
            Assert.Throws<BindingRevokedException>(() => nic.Poll(new PollOptions(), NativeEchoTests.Echo, TestContext.Current.CancellationToken)),
        ];
        Assert.All(errors, error =>
        {
            Assert.Equal(device.Grant.BindingId, error.BindingId);
            Assert.Equal(device.Grant.Generation, error.Generation);
            Assert.Equal(state, error.State);
            Assert.Equal(taken, error.Repossessed);
            Assert.Equal(ErrorCode.BindingRevoked, error.Code);
            Assert.Contains("42", error.Message, StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task A_count_of_taken_things_that_cannot_be_is_cut_to_the_page()
    {
        using var device = new TestDevice();
        await using NicBinding nic = device.Bind();
        device.Write(StatusPageLayout.RepossessionCount, uint.MaxValue);
        device.SetState(BindingState.Revoked);
        Assert.Equal(StatusPageLayout.MaxRepossessionEntries, Assert.Throws<BindingRevokedException>(nic.ThrowIfRevoked).Repossessed.Count);
    }

    [Theory]
    [InlineData(IdlePolicy.Spin)]
    [InlineData(IdlePolicy.Adaptive)]
    public async Task A_poller_hears_of_it_also_while_it_sleeps(IdlePolicy idle)
    {
        using var device = new TestDevice();
        await using NicBinding nic = device.Bind();
        Task poller = Start(nic, idle);
        if (idle == IdlePolicy.Adaptive)
        {
            SocketBench.WaitUntil(() => device.ToDriver.DriverWantsEvent, "the poller sleeps");
        }

        device.SetState(BindingState.Revoked);
        await Assert.ThrowsAsync<BindingRevokedException>(() => poller.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData(IdlePolicy.Spin, true)]
    [InlineData(IdlePolicy.Spin, false)]
    [InlineData(IdlePolicy.Adaptive, true)]
    [InlineData(IdlePolicy.Adaptive, false)]
    public async Task Memory_that_is_taken_under_a_poller_is_a_revocation_and_no_crash_and_another_binding_goes_on(IdlePolicy idle, bool statusFollows)
    {
        using var otherDevice = new TestDevice();
        await using NicBinding other = otherDevice.Bind();
        for (int round = 0; round < 5; round++)
        {
            using var device = new TestDevice();
            await using NicBinding nic = device.Bind();
            Task poller = Start(nic, idle);
            for (int i = 0; i < round * 20; i++)
            {
                _ = device.TryDeliver(TestFrames.Udp(1, 7, "load"u8));
            }

            device.Memory.Truncate(0);
            if (statusFollows)
            {
                device.SetState(BindingState.Aborted);
            }

            var error = await Assert.ThrowsAsync<BindingRevokedException>(() => poller.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
            Assert.Equal(statusFollows ? BindingState.Aborted : BindingState.Revoked, error.State);
            Assert.Equal(device.Grant.BindingId, error.BindingId);
            Assert.Throws<BindingRevokedException>(() => nic.PollOnce(NativeEchoTests.Echo));
            PollingTests.AssertAlive(otherDevice, other);
        }
    }

    private static Task Start(NicBinding nic, IdlePolicy idle) => Task.Factory.StartNew(
        () => nic.Poll(new PollOptions { Idle = idle }, NativeEchoTests.TryEcho),
        CancellationToken.None,
        TaskCreationOptions.LongRunning,
        TaskScheduler.Default);
}
