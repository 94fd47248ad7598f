using System.Net.Sockets;
using Arrakis.DataPlane.Tests.Device;

namespace Arrakis.DataPlane.Tests.Sockets;

/// <summary>Sockets of a binding with several queues, each with a reactor of its own.</summary>
public sealed class QueueSocketTests : IAsyncDisposable
{
    private const int Pairs = 3;
    private const ushort Port = 7;
    private const int FlowLength = 20;

    private readonly TestDevice _device = new(pairs: Pairs);
    private readonly NicBinding _nic;
    private readonly Reactor[] _reactors;

    public QueueSocketTests()
    {
        _nic = _device.Bind();
        _reactors = [.. _nic.Queues.Select(static queue => Reactor.Start(queue))];
    }

    [Fact]
    public async Task One_port_is_served_on_all_queues_and_each_flow_keeps_its_order()
    {
        UdpSocket[] sockets = [.. _reactors.Select(static reactor => new UdpSocket(reactor, Port))];
        Task[] echoes = [.. sockets.Select((socket, i) => _reactors[i].RunAsync(() => EchoAsync(socket)))];
        var answers = new Dictionary<ushort, List<byte>>();

        // The neighbour makes itself known to the first queue, and so to all: no datagram has to wait.
        _device.Deliver(TestFrames.Arp(Wire.Frames.ArpOperation.Request, TestFrames.OwnAddress, TestFrames.PeerMac, TestFrames.PeerAddress));
        SocketBench.WaitUntil(() => _nic.Counters.ArpPackets == 1, "the neighbour is known");
        for (byte number = 0; number < FlowLength; number++)
        {
            for (ushort flow = 1; flow <= 50; flow++)
            {
                _device.Deliver(TestFrames.Udp(flow, Port, [number]));
            }

            int count = 0;
            SocketBench.WaitUntil(() => (count += TakeAnswers(answers)) == 50, "all echoes return");
        }

        Assert.Equal(50, answers.Count);
        Assert.All(answers.Values, static numbers => Assert.Equal(Enumerable.Range(0, FlowLength).Select(static n => (byte)n), numbers));
        Assert.All(_nic.Queues, static queue => Assert.True(queue.Counters.FramesReceived > 0));
        Assert.Equal(50 * FlowLength + 1, _nic.Counters.FramesReceived);
        Assert.Equal(_nic.Counters.DatagramsDelivered, _nic.Queues.Sum(static queue => queue.Counters.DatagramsDelivered));
        Assert.Equal(_nic.Counters.FramesSent, _nic.Queues.Sum(static queue => queue.Counters.ToDictionary()["FramesSent"]));
        foreach (UdpSocket socket in sockets)
        {
            socket.Dispose();
        }

        await Task.WhenAll(echoes).WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_port_that_is_chosen_for_a_remote_end_point_brings_its_answers_home()
    {
        for (int queue = 0; queue < Pairs; queue++)
        {
            Reactor reactor = _reactors[queue];
            for (ushort remotePort = 1000; remotePort < 1010; remotePort++)
            {
                var remote = new UdpEndPoint(TestFrames.PeerAddress, remotePort);
                using UdpSocket socket = UdpSocket.BindFor(reactor, remote);
                Assert.Equal(queue, _nic.QueueOf(remote, socket.LocalEndPoint.Port));
                byte[] answer = TestFrames.Udp(remotePort, socket.LocalEndPoint.Port, [1]);
                Assert.Equal(queue, _device.QueueOf(answer));
                var buffer = new byte[16];
                Task<UdpReceiveFromResult> received = reactor.RunAsync(() => socket.ReceiveFromAsync(buffer, TestContext.Current.CancellationToken).AsTask());
                _device.Deliver(answer);
                Assert.Equal(remote, (await received.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken)).RemoteEndPoint);
            }
        }
    }

    [Fact]
    public void A_datagram_whose_socket_is_on_another_queue_is_counted_as_UdpPortOnOtherQueue()
    {
        using var socket = new UdpSocket(_reactors[1], 99);
        byte[] away = To(99, queue: 2);
        _device.Deliver(away);
        _device.Deliver(To(98, queue: 2));
        _device.Deliver(To(99, queue: 1));
        NetCounters counters = _nic.Queues[2].Counters;
        SocketBench.WaitUntil(() => counters[DropReason.UdpPortOnOtherQueue] == 1 && counters[DropReason.UdpPortUnreachable] == 1, "both are counted");
        SocketBench.WaitUntil(() => _nic.Queues[1].Counters.DatagramsDelivered == 1, "the third is delivered");

        // A reactor that has ended has no sockets any more.
        _reactors[1].Dispose();
        _device.Deliver(away);
        SocketBench.WaitUntil(() => counters[DropReason.UdpPortUnreachable] == 2, "it is nobody's");
        Assert.Equal(1, _nic.Counters[DropReason.UdpPortOnOtherQueue]);
    }

    [Fact]
    public async Task A_device_that_does_not_tell_how_it_steers_is_no_place_for_a_chosen_port()
    {
        using var device = new TestDevice(pairs: 2, tellsSteering: false);
        await using NicBinding nic = device.Bind();
        Assert.Null(nic.QueueOf(new UdpEndPoint(TestFrames.PeerAddress, 1), 2));
        using var reactor = Reactor.Start(nic.Queues[1]);
        Assert.Throws<NotSupportedException>(() => UdpSocket.BindFor(reactor, new UdpEndPoint(TestFrames.PeerAddress, 1)));
    }

    [Fact]
    public async Task With_one_queue_any_port_is_at_home()
    {
        await using var bench = new SocketBench();
        Assert.Equal(0, bench.Nic.QueueOf(new UdpEndPoint(TestFrames.PeerAddress, 1), 2));
        using UdpSocket socket = UdpSocket.BindFor(bench.Reactor, new UdpEndPoint(TestFrames.PeerAddress, 1));
        Assert.InRange(socket.LocalEndPoint.Port, 49152, 65535);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (Reactor reactor in _reactors)
        {
            reactor.Dispose();
        }

        await _nic.DisposeAsync().AsTask().WaitAsync(TestDevice.Deadline);
        _device.Dispose();
    }

    // A datagram whose flow the device steers to a queue.
    private byte[] To(ushort port, int queue) =>
        Enumerable.Range(1, 1000).Select(source => TestFrames.Udp((ushort)source, port, [])).First(frame => _device.QueueOf(frame) == queue);

    private static async Task EchoAsync(UdpSocket socket)
    {
        var buffer = new byte[64];
        try
        {
            while (true)
            {
                (int length, UdpEndPoint from) = await socket.ReceiveFromAsync(buffer);
                await socket.SendToAsync(buffer.AsMemory(0, length), from);
            }
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.OperationAborted)
        {
            // The socket was disposed.
        }
    }

    // Answers neighbours too. Returns how many datagrams there were; each comes from the queue to which its flow was steered.
    private int TakeAnswers(Dictionary<ushort, List<byte>> answers)
    {
        int count = 0;
        for (int pair = 0; pair < Pairs; pair++)
        {
            while (_device.TryTakeSent(pair) is { } frame)
            {
                if (TestFrames.IsArp(frame))
                {
                    if (TestFrames.AnswerArp(frame) is { } answer)
                    {
                        _device.Deliver(answer);
                    }

                    continue;
                }

                (_, ushort flow, byte[] payload) = TestFrames.ReadUdp(frame);
                Assert.Equal(pair, _device.QueueOf(TestFrames.Udp(flow, Port, [])));
                if (!answers.TryGetValue(flow, out List<byte>? numbers))
                {
                    answers[flow] = numbers = [];
                }

                numbers.Add(payload[0]);
                count++;
            }
        }

        return count;
    }
}
