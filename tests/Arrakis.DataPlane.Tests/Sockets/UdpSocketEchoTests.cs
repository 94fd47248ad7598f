using Arrakis.DataPlane.Tests.Device;

namespace Arrakis.DataPlane.Tests.Sockets;

public sealed class UdpSocketEchoTests
{
    [Theory]
    [InlineData(IdlePolicy.Spin)]
    [InlineData(IdlePolicy.Adaptive)]
    public async Task Datagrams_are_echoed_by_a_socket_on_a_reactor(IdlePolicy idle)
    {
        using var device = new TestDevice();
        await using NicBinding nic = device.Bind();
        using Reactor reactor = Reactor.Start(nic, core: null, idle);
        var bound = new TaskCompletionSource();
        Task server = reactor.RunAsync(async () =>
        {
            using var socket = new UdpSocket(7);
            bound.SetResult();
            var buffer = new byte[2048];
            for (int i = 0; i < 200; i++)
            {
                (int length, UdpEndPoint from) = await socket.ReceiveFromAsync(buffer);
                Assert.Same(reactor, Reactor.Current);
                Assert.Equal(length, await socket.SendToAsync(buffer.AsMemory(0, length), from));
            }
        });
        await bound.Task.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
        for (int i = 0; i < 200; i++)
        {
            byte[] payload = [.. Enumerable.Repeat((byte)i, i * 7)];
            device.Deliver(TestFrames.Udp(999, 7, payload));
            (ushort source, ushort destination, byte[] answer) = TestFrames.ReadUdp(device.TakeSentIp());
            Assert.Equal((7, 999), (source, destination));
            Assert.Equal(payload, answer);
            if (i % 50 == 0 && idle == IdlePolicy.Adaptive)
            {
                SocketBench.WaitUntil(() => device.ToDriver.DriverWantsEvent, "the reactor sleeps");
            }
        }

        await server.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
        Assert.Equal(0, nic.Counters[DropReason.UdpPortUnreachable]);
    }
}
