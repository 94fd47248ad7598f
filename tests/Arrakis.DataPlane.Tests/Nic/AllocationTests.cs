using Arrakis.DataPlane.Tests.Device;
using Arrakis.SoftDevice.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Tests.Nic;

/// <summary>Serving datagrams allocates nothing.</summary>
public sealed class AllocationTests
{
    private const int Datagrams = 100_000;
    private const int WarmUp = 5_000;
    private const int Batch = 32;

    [Theory]
    [InlineData(10)]
    [InlineData(1000)]
    public async Task The_native_path_allocates_nothing(int length)
    {
        using var device = new TestDevice();
        await using NicBinding nic = device.Bind();
        byte[] frame = TestFrames.Udp(1, 7, new byte[length]);
        byte[] sent = new byte[TestDevice.BufferSize];
        PacketHandler handler = NativeEchoTests.Echo;
        long allocated = 0;
        for (int served = -WarmUp; served < Datagrams;)
        {
            for (int i = 0; i < Batch; i++)
            {
                Assert.True(device.TryDeliver(frame));
            }

            long before = GC.GetAllocatedBytesForCurrentThread();
            int count = nic.PollOnce(handler);
            long after = GC.GetAllocatedBytesForCurrentThread();
            Assert.Equal(Batch, count);
            allocated += served >= 0 ? after - before : 0;
            served += count;
            Assert.True(Take(device, sent) >= Batch);
        }

        Assert.Equal(0, allocated);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(1000)]
    public async Task A_socket_on_its_reactor_allocates_nothing_whether_it_waits_or_not(int length)
    {
        await using var bench = new SocketBench(IdlePolicy.Adaptive);
        Task<long> server = bench.Reactor.RunAsync(async () =>
        {
            using var socket = new UdpSocket(7);
            var buffer = new byte[2000];
            long before = 0;
            for (int served = -WarmUp; served < Datagrams; served++)
            {
                if (served == 0)
                {
                    before = GC.GetAllocatedBytesForCurrentThread();
                }

                (int received, UdpEndPoint from) = await socket.ReceiveFromAsync(buffer);
                if (served % 64 == 0)
                {
                    await Reactor.Delay(TimeSpan.Zero); // Meanwhile the queue fills.
                }

                await socket.SendToAsync(buffer.AsMemory(0, received), from);
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        });
        await bench.InvokeAsync(() => 0);
        byte[] frame = TestFrames.Udp(1, 7, new byte[length]);
        var scratch = new byte[TestDevice.BufferSize];

        // Who asks is known: no question of the reactor's is among what it sends.
        bench.Device.Deliver(TestFrames.Arp(Wire.Frames.ArpOperation.Request, TestFrames.OwnAddress, TestFrames.PeerMac, TestFrames.PeerAddress));
        bench.Device.Deliver(frame);
        _ = bench.Device.TakeSentIp();
        int given = 1;
        int taken = 1;
        while (taken < WarmUp + Datagrams && !server.IsCompleted)
        {
            while (given - taken < Batch && given < WarmUp + Datagrams && bench.Device.TryDeliver(frame))
            {
                given++;
            }

            taken += Take(bench.Device, scratch);
        }

        Assert.Equal(0, await server.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken));
    }

    private static int Take(TestDevice device, byte[] scratch)
    {
        int count = 0;
        while (device.FromDriver.TryRead(VirtioNetHeader.Length, scratch, out _) == RingRead.Frame)
        {
            device.FromDriver.Complete();
            count++;
        }

        if (device.FromDriver.Publish())
        {
            device.Event.Signal();
        }

        return count;
    }
}
