using Arrakis.Contract;
using Arrakis.DataPlane.Tests.Device;
using Arrakis.DataPlane.Tests.Nic;

namespace Arrakis.DataPlane.Tests.Sockets;

/// <summary>A binding that is taken under its sockets.</summary>
public sealed class SocketRevocationTests
{
    private static readonly UdpEndPoint s_peer = new(TestFrames.PeerAddress, 9);

    [Theory]
    [InlineData(IdlePolicy.Spin, BindingState.Revoked)]
    [InlineData(IdlePolicy.Adaptive, BindingState.Revoked)]
    [InlineData(IdlePolicy.Spin, BindingState.Aborted)]
    [InlineData(IdlePolicy.Adaptive, BindingState.Aborted)]
    public async Task Who_waits_and_who_comes_later_hears_of_it(IdlePolicy idle, BindingState state)
    {
        await using var bench = new SocketBench(idle, queueSize: 16, buffers: 64);
        UdpSocket socket = await bench.InvokeAsync(() => new UdpSocket(7) { EnableBroadcast = true });
        Task<UdpReceiveFromResult> receive = await bench.InvokeAsync(() => socket.ReceiveFromAsync(new byte[1]).AsTask());
        Task<int> send = await bench.InvokeAsync(() =>
        {
            ValueTask<int> last;
            do
            {
                last = socket.SendToAsync(new byte[1], new UdpEndPoint(Wire.Ipv4Address.Broadcast, 9));
            }
            while (last.IsCompleted);
            return last.AsTask();
        });
        if (idle == IdlePolicy.Adaptive)
        {
            SocketBench.WaitUntil(() => bench.Device.ToDriver.DriverWantsEvent, "the reactor sleeps");
        }

        var entry = new RepossessionEntry(ResourceKind.VirtualFunction, 1, 1, 77);
        bench.Device.Record(0, entry);
        bench.Device.SetState(state);
        await Check(receive);
        await Check(send);
        await Check(bench.Reactor.RunAsync(async () => await socket.ReceiveFromAsync(new byte[1])));
        await Check(bench.Reactor.RunAsync(async () => await socket.SendToAsync(new byte[1], s_peer)));
        await Check(bench.Reactor.RunAsync(() => Task.FromResult(new UdpSocket(8))));
        await Check(Elsewhere());
        socket.Dispose();
        Assert.Equal(1, await bench.InvokeAsync(() => 1)); // The reactor itself goes on.

        async Task Check(Task task)
        {
            var error = await Assert.ThrowsAsync<BindingRevokedException>(() => task.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
            Assert.Equal(state, error.State);
            Assert.Equal(42UL, error.BindingId);
            Assert.Equal([entry], error.Repossessed);
        }

        async Task Elsewhere() => await socket.ReceiveFromAsync(new byte[1], TestContext.Current.CancellationToken);
    }

    [Theory]
    [InlineData(IdlePolicy.Spin)]
    [InlineData(IdlePolicy.Adaptive)]
    public async Task Memory_that_is_taken_under_load_is_a_revocation_and_no_datagram_of_zeros(IdlePolicy idle)
    {
        using var otherDevice = new TestDevice();
        await using NicBinding other = otherDevice.Bind();
        for (int round = 0; round < 10; round++)
        {
            await using var bench = new SocketBench(idle);
            byte[] payload = [.. Enumerable.Repeat((byte)0xEE, 1000)];
            Task server = bench.RunAsync(async () =>
            {
                using var socket = new UdpSocket(7);
                var buffer = new byte[2000];
                while (true)
                {
                    (int length, UdpEndPoint from) = await socket.ReceiveFromAsync(buffer);
                    Assert.Equal(payload, buffer[..length]);
                    await socket.SendToAsync(buffer.AsMemory(0, length), from);
                }
            });
            await bench.InvokeAsync(() => 0);
            for (int i = 0; i < round * 10; i++)
            {
                _ = bench.Device.TryDeliver(TestFrames.Udp(1, 7, payload));
            }

            bench.Device.Memory.Truncate(0);
            bench.Device.SetState(BindingState.Revoked);
            await Assert.ThrowsAsync<BindingRevokedException>(() => server);
            PollingTests.AssertAlive(otherDevice, other);
        }
    }

    [Fact]
    public async Task A_request_reaches_the_callback_and_a_disposal_there_ends_the_sockets()
    {
        using var called = new SemaphoreSlim(0);
        await using var bench = new SocketBench(onRevocation: async (request, nic) =>
        {
            Assert.Equal(55, request.DeadlineNanoseconds);
            await nic.DisposeAsync();
            called.Release();
        });
        Task<UdpReceiveFromResult> receive = await bench.InvokeAsync(() => new UdpSocket(7).ReceiveFromAsync(new byte[1]).AsTask());
        bench.Device.AskBack(ResourceKind.VirtualFunction, 1, 55);
        Assert.True(await called.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
        await Assert.ThrowsAsync<System.Net.Sockets.SocketException>(() => receive.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
        Assert.Equal(1, bench.Device.Released);
    }
}
