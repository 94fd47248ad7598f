using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Tests.Device;
using Arrakis.DataPlane.Tests.Nic;

namespace Arrakis.DataPlane.Tests.Rings;

/// <summary>A device that breaks the rules of virtio 1.2 §2.7 in a used ring.</summary>
public sealed class HostileDeviceTests
{
    private const int QueueSize = 16;

    [Theory]
    [InlineData("index one too far")]
    [InlineData("index far away")]
    [InlineData("index backwards")]
    [InlineData("id outside")]
    [InlineData("id huge")]
    [InlineData("id twice")]
    [InlineData("length zero")]
    [InlineData("length under the header's")]
    [InlineData("length over the buffer's")]
    [InlineData("length huge")]
    public async Task Rubbish_in_the_receive_ring_ends_that_binding_and_no_other(string what)
    {
        using var device = new TestDevice(QueueSize, 64);
        await using NicBinding nic = device.Bind();
        string reason = BreakReceiveRing(device, what);
        await AssertBroken(nic, QueueDirection.Receive, reason);
    }

    [Theory]
    [InlineData("index one too far")]
    [InlineData("index far away")]
    [InlineData("index backwards")]
    [InlineData("id outside")]
    [InlineData("id huge")]
    [InlineData("id twice")]
    [InlineData("id free")]
    public async Task Rubbish_in_the_transmit_ring_ends_that_binding_and_no_other(string what)
    {
        using var device = new TestDevice(QueueSize, 64);
        await using NicBinding nic = device.Bind();
        Assert.Equal(0, nic.PollOnce(NativeEchoTests.Echo)); // Announces itself: one descriptor is outstanding.
        Assert.Equal(1, nic.Counters.FramesSent);
        string reason = BreakTransmitRing(device, what);
        await AssertBroken(nic, QueueDirection.Transmit, reason);
    }

    [Fact]
    public async Task A_transmit_length_means_nothing_and_is_not_looked_at()
    {
        using var device = new TestDevice(QueueSize, 64);
        await using NicBinding nic = device.Bind();
        _ = nic.PollOnce(NativeEchoTests.Echo);
        device.AddUsed(HostileWrites.TransmitQueue, device.AvailableEntry(HostileWrites.TransmitQueue, 0), uint.MaxValue);
        for (int i = 0; i < 64; i++)
        {
            Assert.Equal(0, nic.PollOnce(NativeEchoTests.Echo));
        }
    }

    [Theory]
    [InlineData(IdlePolicy.Spin)]
    [InlineData(IdlePolicy.Adaptive)]
    public async Task Sockets_that_wait_get_the_same_error(IdlePolicy idle)
    {
        using var device = new TestDevice(QueueSize, 64);
        await using NicBinding nic = device.Bind();
        using Reactor reactor = Reactor.Start(nic, core: null, idle);
        var waiting = new TaskCompletionSource();
        Task receive = reactor.RunAsync(async () =>
        {
            using var socket = new UdpSocket(7);
            ValueTask<UdpReceiveFromResult> task = socket.ReceiveFromAsync(new byte[10]);
            waiting.SetResult();
            await task;
        });
        await waiting.Task.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
        device.SetUsedIndex(HostileWrites.ReceiveQueue, 1000);
        device.Event.Signal();
        var error = await Assert.ThrowsAsync<RingCorruptException>(() => receive.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
        Assert.Equal(QueueDirection.Receive, error.Ring);
        await Assert.ThrowsAsync<RingCorruptException>(() => reactor.RunAsync(() => Task.FromResult(new UdpSocket())));
    }

    private static string BreakReceiveRing(TestDevice device, string what)
    {
        const int Queue = HostileWrites.ReceiveQueue;
        switch (what)
        {
            case "index one too far":
                device.SetUsedIndex(Queue, QueueSize + 1);
                return $"used index {QueueSize + 1} is {QueueSize + 1} after the last one";
            case "index far away":
                device.SetUsedIndex(Queue, 0x8000);
                return "used index 32768";
            case "index backwards":
                device.SetUsedIndex(Queue, -1);
                return "used index 65535";
            case "id outside":
                device.AddUsed(Queue, QueueSize, 100);
                return $"used id {QueueSize} in a ring of {QueueSize}";
            case "id huge":
                device.AddUsed(Queue, uint.MaxValue, 100);
                return $"used id {uint.MaxValue}";
            case "id twice":
                device.AddUsed(Queue, 3, 100);
                device.AddUsed(Queue, 3, 100);
                return "used id 3 is not with the device";
            case "length zero":
                device.AddUsed(Queue, 0, 0);
                return "used length 0";
            case "length under the header's":
                device.AddUsed(Queue, 0, 11);
                return "used length 11";
            case "length over the buffer's":
                device.AddUsed(Queue, 0, TestDevice.BufferSize - BufferLayout.HeaderOffset + 1);
                return $"used length {TestDevice.BufferSize - BufferLayout.HeaderOffset + 1}";
            case "length huge":
                device.AddUsed(Queue, 0, uint.MaxValue);
                return $"used length {uint.MaxValue}";
            default:
                throw new ArgumentOutOfRangeException(nameof(what), what, null);
        }
    }

    private static string BreakTransmitRing(TestDevice device, string what)
    {
        const int Queue = HostileWrites.TransmitQueue;
        uint outstanding = device.AvailableEntry(Queue, 0);
        switch (what)
        {
            case "index one too far":
                device.SetUsedIndex(Queue, 2);
                return "used index 2 is 2 after the last one, with 1";
            case "index far away":
                device.SetUsedIndex(Queue, 0x8000);
                return "used index 32768";
            case "index backwards":
                device.SetUsedIndex(Queue, -1);
                return "used index 65535";
            case "id outside":
                device.AddUsed(Queue, QueueSize, 0);
                return $"used id {QueueSize} in a ring of {QueueSize}";
            case "id huge":
                device.AddUsed(Queue, uint.MaxValue, 0);
                return $"used id {uint.MaxValue}";
            case "id twice":
                device.AddUsed(Queue, outstanding, 0);
                device.AddUsed(Queue, outstanding, 0);
                return "used index 2 is 2 after the last one, with 1";
            case "id free":
                device.AddUsed(Queue, (outstanding + 1) % QueueSize, 0);
                return "is not with the device";
            default:
                throw new ArgumentOutOfRangeException(nameof(what), what, null);
        }
    }

    private static async Task AssertBroken(NicBinding nic, QueueDirection ring, string reason)
    {
        using var otherDevice = new TestDevice(QueueSize, 64);
        await using NicBinding other = otherDevice.Bind();
        var error = Assert.Throws<RingCorruptException>(() => PollALot(nic));
        Assert.Equal(ring, error.Ring);
        Assert.Contains(reason, error.Reason, StringComparison.Ordinal);
        Assert.Contains(ring == QueueDirection.Receive ? "receive ring" : "transmit ring", error.Message, StringComparison.Ordinal);
        Assert.Equal(ErrorCode.RingCorrupt, error.Code);
        Assert.Same(error, Assert.Throws<RingCorruptException>(() => nic.PollOnce(NativeEchoTests.Echo)));

        otherDevice.Deliver(TestFrames.Udp(1, 7, "still here"u8));
        Assert.Equal(1, other.PollOnce(NativeEchoTests.Echo));
        Assert.Equal("still here"u8.ToArray(), TestFrames.ReadUdp(otherDevice.TakeSentIp()).Payload);
    }

    private static void PollALot(NicBinding nic)
    {
        for (int i = 0; i < 64; i++)
        {
            _ = nic.PollOnce(static (_, _) => { });
        }
    }
}
