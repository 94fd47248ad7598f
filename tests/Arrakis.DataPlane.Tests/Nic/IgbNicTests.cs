using Arrakis.Contract;
using Arrakis.DataPlane.Tests.Device;
using Arrakis.Native.Threads;
using Arrakis.Wire.Frames;
using Arrakis.Wire.Igb;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Tests.Nic;

/// <summary>The stack over the rings of an 82576 function.</summary>
public sealed class IgbNicTests
{
    private const VirtioFeatures Checksums = VirtioFeatures.NetChecksum | VirtioFeatures.NetGuestChecksum;
    private const int Datagrams = 100_000;
    private const int WarmUp = 5_000;
    private const int Batch = 32;

    private static readonly Dictionary<string, Func<Grant, Grant>> s_refused = new()
    {
        ["a ring without a tail register"] = static g => WithQueue(g, static q => q with { Doorbell = null, EventArm = null, KickDescriptor = 2 }),
        ["a tail register of two bytes"] = static g => WithQueue(g, static q => q with { Doorbell = q.Doorbell! with { Width = 2 } }),
        ["segmentation"] = static g => g with { Features = g.Features | VirtioFeatures.NetChecksum | VirtioFeatures.NetHostUso },
        ["order"] = static g => g with { Features = g.Features | VirtioFeatures.InOrder },
        ["packed rings"] = static g => g with { Features = g.Features | VirtioFeatures.RingPacked },
        ["a ring of four descriptors"] = static g => WithRing(g, static r => r with { QueueSize = 4 }),
        ["a ring that is not aligned"] = static g => WithRing(g, static r => r with { DescriptorArea = r.DescriptorArea + 64 }),
        ["a ring over the other"] = static g => WithRing(g, static r => r with { DescriptorArea = r.DescriptorArea + 128 }),
        ["buffers shorter than the device believes"] = static g => g with { Memory = g.Memory with { BufferSize = 2048 } },
        ["an MTU that needs two buffers of the device"] = static g => g with { Mtu = 2035, Memory = g.Memory with { BufferSize = 2 * IgbRings.BufferSize } },
        ["a register that is no device's"] = static g => WithQueue(g, static q => q with { KickDescriptor = 2 }),
    };

    public static TheoryData<string> Refused => [.. s_refused.Keys];

    [Theory]
    [InlineData(VirtioFeatures.None)]
    [InlineData(Checksums)]
    public async Task A_datagram_is_answered_in_place_byte_by_byte(VirtioFeatures features)
    {
        await using var nic = new IgbNic(features);
        nic.Introduce();
        for (int length = 0; length <= nic.Nic.MaxDatagramLength; length += 31)
        {
            byte[] payload = [.. Enumerable.Range(0, length).Select(i => (byte)(i + length))];
            Assert.True(nic.Device.TryDeliver(TestFrames.Udp(1234, 7, payload), IgbReceiveDescriptor.TransportChecked | IgbReceiveDescriptor.IpChecked));
            Assert.Equal(1, nic.Nic.PollOnce(NativeEchoTests.Echo));
            (ushort source, ushort destination, byte[] answer) = TestFrames.ReadUdp(nic.TakeSentIp());
            Assert.Equal((7, 1234), (source, destination));
            Assert.Equal(payload, answer);
        }

        Assert.Equal(features != VirtioFeatures.None, nic.Device.Offloaded > 0);
        Assert.Equal(features != VirtioFeatures.None ? 1 : 0, nic.Device.Contexts);
    }

    [Theory]
    [InlineData(VirtioFeatures.NetGuestChecksum, IgbReceiveDescriptor.TransportChecked, 1)]
    [InlineData(VirtioFeatures.NetGuestChecksum, IgbReceiveDescriptor.TransportChecked | IgbReceiveDescriptor.TransportError, 0)]
    [InlineData(VirtioFeatures.NetGuestChecksum, 0ul, 0)]
    [InlineData(VirtioFeatures.None, IgbReceiveDescriptor.TransportChecked, 0)]
    public async Task A_checksum_is_not_looked_at_where_the_device_vouches_for_it(VirtioFeatures features, ulong status, int datagrams)
    {
        await using var nic = new IgbNic(features);
        byte[] wrong = TestFrames.Udp(9, 7, new byte[100]).WithPayload(50, 1);
        int seen = 0;
        Assert.True(nic.Device.TryDeliver(wrong, status));
        Assert.Equal(1, nic.Nic.PollOnce((received, _) => seen += received.Count));
        Assert.Equal(datagrams, seen);
        Assert.Equal(1 - datagrams, nic.Nic.Counters[FrameError.UdpChecksumWrong]);
    }

    [Theory]
    [InlineData(IdlePolicy.Spin)]
    [InlineData(IdlePolicy.Adaptive)]
    public async Task A_socket_echoes_also_where_its_reactor_sleeps_until_the_device_raises_an_event(IdlePolicy idle)
    {
        await using var nic = new IgbNic(Checksums, queueSize: 8, buffers: 64);
        nic.Introduce();
        using Reactor reactor = Reactor.Start(nic.Nic, core: null, idle);
        const int Rounds = 200;
        Task server = reactor.RunAsync(async () =>
        {
            using var socket = new UdpSocket(7);
            var buffer = new byte[2000];
            for (int i = 0; i < Rounds; i++)
            {
                (int length, UdpEndPoint from) = await socket.ReceiveFromAsync(buffer);
                await socket.SendToAsync(buffer.AsMemory(0, length), from);
            }
        });
        await reactor.RunAsync(static () => Task.CompletedTask).WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
        for (int i = 0; i < Rounds; i++)
        {
            if (idle == IdlePolicy.Adaptive && i % 50 == 0)
            {
                SocketBench.WaitUntil(() => nic.Registers[IgbDevice.EventArm] != 0, "the reactor sleeps");
            }

            byte[] payload = new byte[i * 7];
            new Random(i).NextBytes(payload);
            Assert.True(nic.Device.TryDeliver(TestFrames.Udp(1234, 7, payload), IgbReceiveDescriptor.TransportChecked));
            Assert.Equal(payload, TestFrames.ReadUdp(nic.TakeSentIp()).Payload);
        }

        await server.WaitAsync(TestDevice.Deadline, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_neighbours_frame_that_no_buffer_holds_is_counted_and_the_next_one_answered()
    {
        await using var nic = new IgbNic();
        nic.Introduce();
        Assert.True(nic.Device.TryDeliver(TestFrames.Udp(1, 7, new byte[8000])));
        Assert.True(nic.Device.TryDeliver(TestFrames.Udp(1, 7, new byte[1900])));
        Assert.True(nic.Device.TryDeliver(TestFrames.Udp(1, 7, "fits"u8)));
        Assert.Equal(2, nic.Nic.PollOnce(NativeEchoTests.Echo));
        Assert.Equal(2, nic.Nic.Counters[DropReason.FrameTooLong]);
        Assert.Equal("fits"u8.ToArray(), TestFrames.ReadUdp(nic.TakeSentIp()).Payload);
    }

    [Fact]
    public async Task A_device_that_breaks_its_ring_ends_the_binding()
    {
        await using var nic = new IgbNic();
        nic.Introduce();
        nic.Device.WriteBack(IgbReceiveDescriptor.Done | IgbReceiveDescriptor.EndOfPacket);
        Assert.Throws<RingCorruptException>(() => nic.Nic.PollOnce(NativeEchoTests.Echo));
        Assert.Throws<RingCorruptException>(() => nic.Nic.PollOnce(NativeEchoTests.Echo));
    }

    [Fact]
    public async Task A_device_that_is_switched_off_under_traffic_revokes_the_binding()
    {
        await using var nic = new IgbNic();
        nic.Introduce();
        Assert.True(nic.Device.TryDeliver(TestFrames.Udp(1, 7, "last"u8)));
        nic.Registers.SwitchOff();
        BindingRevokedException error = Assert.Throws<BindingRevokedException>(() =>
        {
            for (int i = 0; i < 1000; i++)
            {
                _ = nic.Nic.PollOnce(NativeEchoTests.Echo); // The first one answers, and tells a device that is not there.
            }
        });
        Assert.Equal(1ul, error.BindingId);
    }

    [Theory]
    [InlineData(VirtioFeatures.None, 10)]
    [InlineData(Checksums, 1000)]
    public async Task The_native_path_allocates_nothing(VirtioFeatures features, int length)
    {
        await using var nic = new IgbNic(features);
        nic.Introduce();
        byte[] frame = TestFrames.Udp(1, 7, new byte[length]);
        _ = CountInPolls(nic, frame, WarmUp, GC.GetAllocatedBytesForCurrentThread);
        Assert.Equal(0, CountInPolls(nic, frame, Datagrams, GC.GetAllocatedBytesForCurrentThread));
    }

    [Fact]
    public async Task The_native_path_makes_no_system_call()
    {
        await using var nic = new IgbNic(Checksums);
        nic.Introduce();
        byte[] frame = TestFrames.Udp(1, 7, new byte[500]);
        using var calls = new SystemCallCounter(PinnedThread.CurrentId);
        _ = CountInPolls(nic, frame, WarmUp, () => calls.Count);

        // The runtime may stop a thread for reasons of its own, in one round or another; what a datagram needs comes in each.
        long fewest = long.MaxValue;
        for (int round = 0; round < 10 && fewest != 0; round++)
        {
            fewest = Math.Min(fewest, CountInPolls(nic, frame, 10_000, () => calls.Count));
        }

        Assert.Equal(0, fewest);
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task A_grant_that_the_device_cannot_be_of_is_refused(string name)
    {
        await using var nic = new IgbNic(binds: false);
        int before = DisposalTests.OpenDescriptors();
        Assert.Throws<InvalidGrantException>(() => nic.Bind(s_refused[name](nic.Grant)));
        Assert.Equal(before, DisposalTests.OpenDescriptors());
        await nic.Bind(nic.Grant).DisposeAsync(); // As it was, it is good.
    }

    [Fact]
    public async Task The_largest_MTU_fills_a_buffer()
    {
        await using var nic = new IgbNic(mtu: 2034);
        nic.Introduce();
        byte[] payload = new byte[nic.Nic.MaxDatagramLength];
        Assert.Equal(2048 - 42, payload.Length);
        Assert.True(nic.Device.TryDeliver(TestFrames.Udp(1, 7, payload)));
        Assert.Equal(1, nic.Nic.PollOnce(NativeEchoTests.Echo));
        Assert.Equal(payload, TestFrames.ReadUdp(nic.TakeSentIp()).Payload);
    }

    // By how much a counter of this thread grows within the polls that echo frames. What is between them is left out: the device
    // and the assertions allocate, and so may call the collector.
    private static long CountInPolls(IgbNic nic, byte[] frame, int datagrams, Func<long> counter)
    {
        byte[] sent = new byte[IgbRings.BufferSize];
        PacketHandler handler = NativeEchoTests.Echo;
        long first = counter();
        long reading = counter() - first;
        long grown = 0;
        for (int served = 0; served < datagrams; served += Batch)
        {
            for (int i = 0; i < Batch; i++)
            {
                Assert.True(nic.Device.TryDeliver(frame, IgbReceiveDescriptor.TransportChecked));
            }

            long before = counter();
            int polled = nic.Nic.PollOnce(handler);
            grown += counter() - before - reading;
            Assert.Equal(Batch, polled);
            for (int i = 0; i < Batch; i++)
            {
                Assert.Equal(frame.Length, nic.Device.TryTake(sent));
            }
        }

        return grown;
    }

    private static Grant WithQueue(Grant grant, Func<QueueGrant, QueueGrant> change) => grant with { Queues = [change(grant.Queues[0]), grant.Queues[1]] };

    private static Grant WithRing(Grant grant, Func<RingLayout, RingLayout> change) => WithQueue(grant, q => q with { Ring = change(q.Ring) });
}
