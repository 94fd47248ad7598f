using Arrakis.DataPlane.Tests.Device;
using Arrakis.DataPlane.Udp;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Tests.Udp;

/// <summary>What is on the wire is the same whatever is left to the device.</summary>
public sealed class TransmitOffloadTests
{
    private const VirtioFeatures Checksum = VirtioFeatures.NetChecksum;
    private const VirtioFeatures Segments = VirtioFeatures.NetChecksum | VirtioFeatures.NetHostUso;

    private static readonly UdpEndPoint s_peer = new(TestFrames.PeerAddress, 9);

    /// <summary>Rings and offloads in all combinations.</summary>
    public static TheoryData<VirtioFeatures> Features
    {
        get
        {
            var all = new TheoryData<VirtioFeatures>();
            foreach (VirtioFeatures offload in (ReadOnlySpan<VirtioFeatures>)[VirtioFeatures.None, Checksum, Segments, VirtioFeatures.NetHostUso])
            {
                for (int bits = 0; bits < 8; bits++)
                {
                    all.Add(offload
                        | ((bits & 1) != 0 ? VirtioFeatures.RingPacked : 0)
                        | ((bits & 2) != 0 ? VirtioFeatures.InOrder : 0)
                        | ((bits & 4) != 0 ? VirtioFeatures.RingIndirectDescriptors : 0));
                }
            }

            return all;
        }
    }

    [Theory]
    [MemberData(nameof(Features))]
    public async Task Random_payloads_are_the_same_on_the_wire_as_without_offloads(VirtioFeatures features)
    {
        const int Rounds = 150;
        var random = new Random(4711);
        await using var plain = new OffloadDevice(VirtioFeatures.None);
        await using var device = new OffloadDevice(features);
        plain.Introduce();
        device.Introduce();
        for (int round = 0; round < Rounds; round++)
        {
            int segmentSize = random.Next(4) == 0 ? device.Nic.MaxDatagramLength : random.Next(1, device.Nic.MaxDatagramLength + 1);
            int length = random.Next(0, Math.Min(UdpSocket.MaxSegmentedLength, segmentSize * UdpSocket.MaxSegments) + 1);
            byte[] payload = new byte[length];
            random.NextBytes(payload);
            List<byte[]> expected = Send(plain, payload, segmentSize);
            List<byte[]> wire = Send(device, payload, segmentSize);
            Assert.Equal(Math.Max(1, (length + segmentSize - 1) / segmentSize), expected.Count);
            Assert.Equal(expected.Count, wire.Count);
            for (int i = 0; i < wire.Count; i++)
            {
                Assert.True(expected[i].AsSpan().SequenceEqual(wire[i]), $"round {round}, {length} bytes by {segmentSize}: datagram {i} is another");
            }

            Assert.Equal(payload, wire.SelectMany(static frame => TestFrames.ReadUdp(frame).Payload));
        }

        Assert.Equal((features & Segments) == Segments, device.Cut > Rounds / 2);
        Assert.Equal((features & Checksum) != 0, device.Offloaded > Rounds / 2);
        Assert.Equal(0, plain.Offloaded);
    }

    [Theory]
    [InlineData(VirtioFeatures.None, 0)]
    [InlineData(Checksum, 1)]
    public async Task A_datagram_leaves_its_checksum_to_the_device_where_that_pays(VirtioFeatures features, int offloaded)
    {
        await using var device = new OffloadDevice(features);
        device.Introduce();
        foreach (int length in (ReadOnlySpan<int>)[0, UdpOutput.MinOffloadedPayload - 1])
        {
            _ = Send(device, new byte[length], device.Nic.MaxDatagramLength);
            Assert.Equal(0, device.Offloaded);
        }

        byte[] frame = Assert.Single(Send(device, new byte[UdpOutput.MinOffloadedPayload], device.Nic.MaxDatagramLength));
        Assert.Equal(offloaded, device.Offloaded);
        Assert.Equal(UdpOutput.MinOffloadedPayload, TestFrames.ReadUdp(frame).Payload.Length);
    }

    [Fact]
    public async Task A_frame_that_waited_for_its_neighbour_has_its_checksum()
    {
        await using var device = new OffloadDevice(Segments);
        Run(device, static transmit => Assert.True(transmit.TrySendSegments(5, s_peer, new byte[3000], 1000)));
        List<byte[]> asked = device.TakeAll();
        Assert.All(asked, frame => Assert.True(TestFrames.IsArp(frame)));
        device.Deliver(asked.Select(TestFrames.AnswerArp).Single(static answer => answer is not null));
        _ = device.Nic.PollOnce(static (_, _) => { });
        List<byte[]> sent = device.TakeAll();
        Assert.Equal(3, sent.Count);
        Assert.All(sent, frame => Assert.Equal(1000, TestFrames.ReadUdp(frame).Payload.Length));
        Assert.Equal(0, device.Offloaded);
    }

    [Theory]
    [InlineData(VirtioFeatures.None)]
    [InlineData(Checksum)]
    [InlineData(Checksum | VirtioFeatures.NetGuestChecksum)]
    public async Task A_reply_in_place_is_right_however_long_and_whoever_looks_at_it(VirtioFeatures features)
    {
        await using var device = new OffloadDevice(features);
        device.Introduce();
        foreach (int length in (ReadOnlySpan<int>)[1, 200, 256, 257, 1000, 1472])
        {
            foreach (bool looks in (ReadOnlySpan<bool>)[false, true])
            {
                byte[] payload = new byte[length];
                new Random(length).NextBytes(payload);
                device.Deliver(TestFrames.Udp(9, 7, new byte[length]));
                int before = device.Offloaded;
                _ = device.Nic.PollOnce((received, transmit) =>
                {
                    foreach (Packet packet in received)
                    {
                        Assert.True(packet.TryGetUdp(out UdpDatagram datagram));
                        payload.CopyTo(datagram.Payload);
                        Packet reply = datagram.Reply();
                        if (looks)
                        {
                            Assert.Equal(payload, TestFrames.ReadUdp(reply.Frame.ToArray()).Payload);
                        }

                        Assert.True(transmit.Post(reply));
                    }
                });
                Assert.Equal(payload, TestFrames.ReadUdp(Assert.Single(device.TakeAll())).Payload);
                Assert.Equal(!looks && length >= UdpOutput.MinOffloadedPayload && (features & Checksum) != 0, device.Offloaded > before);
            }
        }
    }

    [Theory]
    [InlineData(16, 64, VirtioFeatures.None)] // No chain is longer than the ring.
    [InlineData(16, 64, VirtioFeatures.RingIndirectDescriptors)]
    [InlineData(64, 96, VirtioFeatures.None)] // Few buffers more than the receive ring has.
    public async Task All_segments_go_or_none_where_there_is_little_room(int queueSize, int buffers, VirtioFeatures features)
    {
        await using var device = new OffloadDevice(features | Segments, queueSize, buffers);
        device.Introduce();
        byte[] payload = new byte[UdpSocket.MaxSegmentedLength];
        Run(device, transmit => Assert.False(transmit.TrySendSegments(5, s_peer, payload, device.Nic.MaxDatagramLength)));
        Assert.Empty(device.TakeAll());
        Run(device, transmit => Assert.True(transmit.TrySendSegments(5, s_peer, payload.AsSpan(0, 12_000), 1000)));
        Assert.Equal(12, device.TakeAll().Count);
    }

    [Fact]
    public async Task What_cannot_be_sent_in_segments_is_not()
    {
        await using var device = new OffloadDevice(Segments);
        device.Introduce();
        int max = device.Nic.MaxDatagramLength;
        Run(device, transmit =>
        {
            Assert.False(transmit.TrySendSegments(5, s_peer, new byte[10], max + 1));
            Assert.False(transmit.TrySendSegments(5, s_peer, new byte[UdpSocket.MaxSegmentedLength + 1], max));
            Assert.False(transmit.TrySendSegments(5, s_peer, new byte[UdpSocket.MaxSegments + 1], 1));
            Assert.False(transmit.TrySendSegments(5, new UdpEndPoint(TestFrames.PeerAddress, 0), new byte[10], 5));
            Assert.False(transmit.TrySendSegments(5, new UdpEndPoint(TestFrames.OwnAddress, 9), new byte[10], 5));
        });
        Assert.Throws<ArgumentOutOfRangeException>(() => Run(device, static transmit => transmit.TrySendSegments(5, s_peer, new byte[10], 0)));
        Assert.Empty(device.TakeAll());
        Run(device, static transmit => Assert.True(transmit.TrySendSegments(5, s_peer, new byte[UdpSocket.MaxSegments], 1)));
        Assert.Equal(UdpSocket.MaxSegments, device.TakeAll().Count);
    }

    private static List<byte[]> Send(OffloadDevice device, byte[] payload, int segmentSize)
    {
        Run(device, transmit => Assert.True(transmit.TrySendSegments(5, s_peer, payload, segmentSize)));
        return device.TakeAll();
    }

    private delegate void Sending(TransmitQueue transmit);

    private static void Run(OffloadDevice device, Sending action)
    {
        device.Deliver(TestFrames.Udp(1, 1, "x"u8));
        _ = device.Nic.PollOnce((_, transmit) => action(transmit));
    }
}
