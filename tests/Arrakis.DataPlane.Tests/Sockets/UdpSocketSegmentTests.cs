using System.Net.Sockets;
using Arrakis.DataPlane.Tests.Device;
using Arrakis.Wire;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Tests.Sockets;

/// <summary>Many datagrams in one call of a socket.</summary>
public sealed class UdpSocketSegmentTests
{
    private const VirtioFeatures Segments = VirtioFeatures.NetChecksum | VirtioFeatures.NetHostUso;

    private static readonly UdpEndPoint s_peer = new(TestFrames.PeerAddress, 9);

    [Theory]
    [InlineData("10.7.0.9", 9, 10, 1473, SocketError.MessageSize)]
    [InlineData("10.7.0.9", 9, 65508, 1472, SocketError.MessageSize)]
    [InlineData("10.7.0.9", 9, 65, 1, SocketError.InvalidArgument)]
    [InlineData("10.7.0.9", 0, 10, 5, SocketError.InvalidArgument)]
    [InlineData("10.8.0.1", 9, 10, 5, SocketError.NetworkUnreachable)]
    [InlineData("10.7.0.255", 9, 10, 5, SocketError.AccessDenied)]
    public async Task What_cannot_be_sent_has_a_typed_error_with_and_without_offload(string address, int port, int length, int segmentSize, SocketError expected)
    {
        foreach (VirtioFeatures features in (VirtioFeatures[])[VirtioFeatures.None, Segments])
        {
            await using var device = new OffloadDevice(features);
            using Reactor reactor = Reactor.Start(device.Nic);
            using var socket = new UdpSocket(reactor, 7);
            var destination = new UdpEndPoint(Ipv4Address.Parse(address), (ushort)port);
            SocketException onReactor = await Assert.ThrowsAsync<SocketException>(
                () => reactor.RunAsync(async () => await socket.SendSegmentsToAsync(new byte[length], segmentSize, destination)));
            SocketException elsewhere = await Assert.ThrowsAsync<SocketException>(
                () => socket.SendSegmentsToAsync(new byte[length], segmentSize, destination, TestContext.Current.CancellationToken).AsTask());
            Assert.Equal((expected, expected), (onReactor.SocketErrorCode, elsewhere.SocketErrorCode));
            Assert.NotEmpty(onReactor.Message);
            Assert.Throws<ArgumentOutOfRangeException>(() => { _ = socket.SendSegmentsToAsync(new byte[1], 0, destination).AsTask(); });
        }
    }

    [Theory]
    [InlineData(16, 64, VirtioFeatures.None)]
    [InlineData(16, 64, Segments)] // No chain of 33 buffers fits: cut in the stack, a few at a time.
    [InlineData(64, 128, Segments)]
    [InlineData(64, 128, Segments | VirtioFeatures.RingIndirectDescriptors)]
    [InlineData(64, 128, Segments | VirtioFeatures.RingIndirectDescriptors | VirtioFeatures.RingPacked | VirtioFeatures.InOrder)]
    [InlineData(64, 90, Segments)] // The pool has 26 buffers left: likewise.
    public async Task Sends_wait_for_room_and_every_datagram_goes_once_and_in_order(int queueSize, int buffers, VirtioFeatures features)
    {
        const int Calls = 40;
        await using var device = new OffloadDevice(features, queueSize, buffers);
        device.Introduce();
        using Reactor reactor = Reactor.Start(device.Nic);
        var random = new Random(queueSize + buffers);
        (byte[] Payload, int SegmentSize)[] calls = [.. Enumerable.Range(0, Calls).Select(_ =>
        {
            int size = random.Next(500, 1473);
            byte[] payload = new byte[random.Next(0, Math.Min(UdpSocket.MaxSegmentedLength, size * UdpSocket.MaxSegments) + 1)];
            random.NextBytes(payload);
            return (payload, size);
        })];
        var completed = new List<int>();
        Task sending = reactor.RunAsync(() =>
        {
            var socket = new UdpSocket(7);
            return Task.WhenAll(calls.Select(async (call, i) =>
            {
                Assert.Equal(call.Payload.Length, await socket.SendSegmentsToAsync(call.Payload, call.SegmentSize, s_peer));
                completed.Add(i);
            }));
        });

        List<byte[]> expected = [.. calls.SelectMany(static call => call.Payload.Length == 0 ? [[]] : call.Payload.Chunk(call.SegmentSize))];
        var sent = new List<byte[]>();
        long start = TimeProvider.System.GetTimestamp();
        while (sent.Count < expected.Count)
        {
            sent.AddRange(device.TakeOne().Select(static frame => TestFrames.ReadUdp(frame).Payload));
            Assert.True(TimeProvider.System.GetElapsedTime(start) < TestDevice.Deadline, $"only {sent.Count} of {expected.Count} datagrams came");
        }

        await sending.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
        Assert.Equal(expected, sent);
        Assert.Equal(Enumerable.Range(0, Calls), completed);
        Assert.Empty(device.TakeAll());
    }

    [Fact]
    public async Task A_send_that_waits_can_be_cancelled_and_the_next_one_goes()
    {
        await using var device = new OffloadDevice(Segments, 64, 128);
        device.Introduce();
        using Reactor reactor = Reactor.Start(device.Nic);
        using var cancelled = new CancellationTokenSource();
        await reactor.RunAsync(async () =>
        {
            var socket = new UdpSocket(7);
            byte[] payload = new byte[UdpSocket.MaxSegmentedLength];
            Assert.True(socket.SendSegmentsToAsync(payload, 1472, s_peer).IsCompletedSuccessfully);
            Task<int> waiting = socket.SendSegmentsToAsync(payload, 1472, s_peer, cancelled.Token).AsTask();
            Assert.False(waiting.IsCompleted);
            await cancelled.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        });
        Assert.Equal(45, device.TakeAll().Count);
        Task<int> next = reactor.RunAsync(async () => await new UdpSocket(8).SendSegmentsToAsync(new byte[3000], 1000, s_peer));
        Assert.Equal(3000, await next.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData(VirtioFeatures.None)]
    [InlineData(Segments)]
    [InlineData(Segments | VirtioFeatures.RingIndirectDescriptors | VirtioFeatures.RingPacked)]
    public async Task A_send_allocates_nothing_whether_it_waits_or_not(VirtioFeatures features)
    {
        const int Calls = 3000;
        const int WarmUp = 500;
        await using var device = new OffloadDevice(features, 64, 192);
        device.Introduce();
        using Reactor reactor = Reactor.Start(device.Nic);
        int waited = 0;
        Task<long> sending = reactor.RunAsync(async () =>
        {
            var socket = new UdpSocket(7);
            byte[] payload = new byte[60_000];
            long before = 0;
            for (int i = -WarmUp; i < Calls; i++)
            {
                if (i == 0)
                {
                    before = GC.GetAllocatedBytesForCurrentThread();
                }

                ValueTask<int> send = socket.SendSegmentsToAsync(payload, 1472, s_peer);
                waited += send.IsCompleted ? 0 : 1;
                _ = await send;
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        });
        while (!sending.IsCompleted)
        {
            _ = device.Discard();
        }

        Assert.Equal(0, await sending);
        Assert.InRange(waited, 1, Calls + WarmUp);
    }
}
