using System.Buffers.Binary;
using Arrakis.DataPlane.Tests.Device;
using Arrakis.Wire.Frames;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Tests.Udp;

/// <summary>What a device says of received checksums, true or not.</summary>
public sealed class ReceiveOffloadTests
{
    private const VirtioFeatures Checksum = VirtioFeatures.NetGuestChecksum;
    private const int UdpAt = 34;
    private const int ChecksumAt = UdpView.ChecksumOffset;

    [Theory]
    [InlineData(Checksum, VirtioNetHeader.DataValid, true)]
    [InlineData(Checksum, 0, false)]
    [InlineData(VirtioFeatures.None, VirtioNetHeader.DataValid, false)] // Nobody negotiated that it means something.
    [InlineData(VirtioFeatures.None, VirtioNetHeader.NeedsChecksum, false)]
    [InlineData(Checksum, 0xFC, false)]
    public async Task A_checksum_is_not_looked_at_where_the_device_may_vouch_for_it_and_does(VirtioFeatures features, byte flags, bool taken)
    {
        await using var device = new OffloadDevice(features);
        byte[] wrong = TestFrames.Udp(9, 7, new byte[100]).WithPayload(50, 1);
        device.Deliver(wrong, flags, UdpAt, ChecksumAt);
        Assert.Equal(taken ? 1 : 0, Receive(device));
        Assert.Equal(taken ? 0 : 1, device.Nic.Counters[FrameError.UdpChecksumWrong]);
    }

    [Fact]
    public async Task Lengths_and_ports_are_looked_at_whatever_the_device_says()
    {
        await using var device = new OffloadDevice(Checksum);
        byte[] good = TestFrames.Udp(9, 7, new byte[20]);
        device.Deliver(good.WithPayload(5, 200), VirtioNetHeader.DataValid);
        device.Deliver(good.WithPayload(5, 7), VirtioNetHeader.DataValid);
        device.Deliver(good.WithPayload(2, 0).WithPayload(3, 0), VirtioNetHeader.NeedsChecksum, UdpAt, ChecksumAt);
        device.Deliver(good.WithIp(8, 1), VirtioNetHeader.DataValid); // The IPv4 header's own checksum is always tested.
        Assert.Equal(0, Receive(device));
        Assert.Equal(2, device.Nic.Counters[FrameError.UdpLengthWrong]);
        Assert.Equal(1, device.Nic.Counters[FrameError.UdpPortZero]);
        Assert.Equal(1, device.Nic.Counters[FrameError.Ipv4ChecksumWrong]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)] // With options the UDP header starts later.
    public async Task A_partial_checksum_is_accepted_and_a_reply_in_its_place_has_a_whole_one(int optionWords)
    {
        foreach (VirtioFeatures features in (VirtioFeatures[])[Checksum, Checksum | VirtioFeatures.NetChecksum])
        {
            await using var device = new OffloadDevice(features);
            device.Introduce();
            foreach (int length in (int[])[0, 1, 100, 700, 1400])
            {
                byte[] payload = new byte[length];
                new Random(length).NextBytes(payload);
                byte[] frame = Partial(TestFrames.Udp(9, 7, payload));
                frame = optionWords == 0 ? frame : frame.WithOptions(optionWords);
                device.Deliver(frame, VirtioNetHeader.NeedsChecksum, (ushort)(UdpAt + optionWords * 4), ChecksumAt);
                Assert.Equal(1, Receive(device, static (packet, transmit) =>
                {
                    Assert.True(packet.TryGetUdp(out UdpDatagram datagram));
                    Assert.True(transmit.Post(datagram.Reply()));
                }));
                Assert.Equal(payload, TestFrames.ReadUdp(Assert.Single(device.TakeAll())).Payload);
            }
        }
    }

    [Theory]
    [InlineData(false, 0)]
    [InlineData(true, 0)]
    [InlineData(false, 18)] // Padding that is not zero is no part of the sum.
    [InlineData(true, 18)]
    public async Task A_frame_that_is_sent_on_as_it_came_has_its_checksum_made(bool looks, int padding)
    {
        foreach (VirtioFeatures features in (VirtioFeatures[])[Checksum, Checksum | VirtioFeatures.NetChecksum])
        {
            await using var device = new OffloadDevice(features);
            device.Introduce();
            byte[] whole = TestFrames.Udp(9, 7, "passed on"u8);
            byte[] tail = [.. Enumerable.Repeat((byte)0x77, padding)];
            device.Deliver([.. Partial(whole), .. tail], VirtioNetHeader.NeedsChecksum, UdpAt, ChecksumAt);
            Assert.Equal(1, Receive(device, (packet, transmit) =>
            {
                if (looks)
                {
                    Assert.Equal([.. whole, .. tail], packet.Frame.ToArray());
                }

                Assert.True(transmit.Post(packet));
            }));
            Assert.Equal([.. whole, .. tail], Assert.Single(device.TakeAll()));
        }
    }

    [Fact]
    public async Task A_partial_checksum_of_what_a_datagram_carries_is_completed()
    {
        await using var device = new OffloadDevice(Checksum);

        // Eight bytes, and then a datagram of its own, whose checksum is made last: the outer one is right only then.
        byte[] inner = [1, 2, 3, 4, 5, 6, 7, 8, .. TestFrames.Udp(1, 2, new byte[30]).AsSpan(UdpAt)];
        byte[] whole = TestFrames.Udp(9, 7, inner);
        int start = UdpAt + UdpView.HeaderLength + 8;
        byte[] frame = [.. whole];
        InnerPartial(frame.AsSpan(start));
        device.Deliver(frame, VirtioNetHeader.NeedsChecksum, (ushort)start, ChecksumAt);
        Assert.Equal(1, Receive(device, (packet, _) => Assert.Equal(whole, packet.Frame.ToArray())));
    }

    [Fact]
    public async Task Places_that_do_not_fit_vouch_for_nothing_and_nothing_outside_is_written()
    {
        await using var device = new OffloadDevice(Checksum);
        byte[] frame = Partial(TestFrames.Udp(9, 7, new byte[60]));
        var random = new Random(99);
        ushort[] edges = [0, 1, 13, 14, 33, 34, 35, 41, 42, (ushort)(frame.Length - 9), (ushort)(frame.Length - 2), (ushort)(frame.Length - 1), (ushort)frame.Length, 2047, 32768, 65535];
        int rounds = 0;
        for (int i = 0; i < 2000; i++)
        {
            ushort start = random.Next(2) == 0 ? edges[random.Next(edges.Length)] : (ushort)random.Next(65536);
            ushort offset = random.Next(2) == 0 ? edges[random.Next(edges.Length)] : (ushort)random.Next(65536);
            if (start == UdpAt && offset == ChecksumAt)
            {
                continue;
            }

            rounds++;
            device.Deliver(frame, (byte)(VirtioNetHeader.NeedsChecksum | random.Next(2) * VirtioNetHeader.DataValid), start, offset);
            Assert.Equal(0, Receive(device));
        }

        Assert.Equal(rounds, device.Nic.Counters[FrameError.UdpChecksumWrong]);
    }

    private static int Receive(OffloadDevice device, Handling? handling = null)
    {
        int count = 0;
        _ = device.Nic.PollOnce((received, transmit) =>
        {
            foreach (Packet packet in received)
            {
                handling?.Invoke(packet, transmit);
                count++;
            }
        });
        return count;
    }

    // With the sum of the pseudo header in place of the checksum.
    private static byte[] Partial(byte[] frame)
    {
        byte[] partial = [.. frame];
        Assert.True(TransportHeader.TryFind(partial, out TransportHeader transport));
        transport.WritePartialChecksum(partial);
        return partial;
    }

    private static void InnerPartial(Span<byte> datagram)
    {
        ulong sum = InternetChecksum.PseudoHeader(TestFrames.PeerAddress, TestFrames.OwnAddress, (byte)IpProtocol.Udp, (ushort)datagram.Length);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[ChecksumAt..], (ushort)~InternetChecksum.Finish(sum));
    }

    private delegate void Handling(Packet packet, TransmitQueue transmit);
}
