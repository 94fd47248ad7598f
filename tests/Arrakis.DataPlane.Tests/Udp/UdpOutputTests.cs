using Arrakis.DataPlane.Tests.Device;
using Arrakis.Wire;
using Arrakis.Wire.Frames;
using CsCheck;

namespace Arrakis.DataPlane.Tests.Udp;

public sealed class UdpOutputTests
{
    [Fact]
    public async Task Whatever_is_sent_reads_back_equal_with_all_checksums_right()
    {
        using var device = new TestDevice(gateway: "10.7.0.1");
        await using NicBinding nic = device.Bind();
        Gen.Select(Gen.UInt, Gen.UShort, Gen.UShort[1, ushort.MaxValue], Gen.Byte.Array[0, 1472]).Sample(
            (host, sourcePort, destinationPort, payload) =>
            {
                var destination = new UdpEndPoint(Unicast(host), destinationPort);
                Run(device, nic, transmit => Assert.True(transmit.TrySend(sourcePort, destination, payload)));
                Check(device.TakeSentIp(() => nic.PollOnce(static (_, _) => { })), destination, sourcePort, payload);
            },
            seed: Seeds.Fixed,
            iter: 2000,
            threads: 1);
    }

    [Fact]
    public async Task Whatever_is_received_is_answered_with_what_the_handler_made_of_it()
    {
        using var device = new TestDevice();
        await using NicBinding nic = device.Bind();
        _ = nic.PollOnce(static (_, _) => { });
        _ = device.TakeSent();
        Gen.Select(Gen.UShort[1, ushort.MaxValue], Gen.UShort[1, ushort.MaxValue], Gen.Byte.Array[0, 1400], Gen.Byte.Array[0, 1400], Gen.Int[0, 10], Gen.Bool).Sample(
            (sourcePort, destinationPort, request, reply, optionWords, withoutChecksum) =>
            {
                byte[] frame = TestFrames.Udp(sourcePort, destinationPort, request);
                if (withoutChecksum)
                {
                    frame = frame.WithPayload(6, 0).WithPayload(7, 0);
                }

                device.Deliver(optionWords == 0 ? frame : frame.WithOptions(optionWords));
                int handled = 0;
                _ = nic.PollOnce((received, transmit) =>
                {
                    foreach (Packet packet in received)
                    {
                        Assert.True(packet.TryGetUdp(out UdpDatagram datagram));
                        Assert.Equal(new UdpEndPoint(TestFrames.PeerAddress, sourcePort), datagram.Source);
                        Assert.Equal(destinationPort, datagram.DestinationPort);
                        Assert.Equal(request, datagram.Payload.ToArray());
                        reply.CopyTo(datagram.PayloadBuffer);
                        Assert.True(transmit.Post(datagram.Reply(reply.Length)));
                        handled++;
                    }
                });
                Assert.Equal(1, handled);
                Check(device.TakeSent(), new UdpEndPoint(TestFrames.PeerAddress, sourcePort), destinationPort, reply);
            },
            seed: Seeds.Fixed,
            iter: 2000,
            threads: 1);
    }

    [Fact]
    public async Task A_checksum_that_comes_out_as_zero_is_sent_as_all_ones()
    {
        using var device = new TestDevice();
        await using NicBinding nic = device.Bind();
        var peer = new UdpEndPoint(TestFrames.PeerAddress, 9);
        int allOnes = 0;

        // One of these 65536 payloads makes the sum zero.
        for (int value = 0; value <= ushort.MaxValue; value++)
        {
            byte[] payload = [(byte)(value >> 8), (byte)value];
            Run(device, nic, transmit => Assert.True(transmit.TrySend(5, peer, payload)));
            byte[] frame = device.TakeSentIp(() => nic.PollOnce(static (_, _) => { }));
            int checksum = frame[40] << 8 | frame[41];
            Assert.NotEqual(0, checksum);
            allOnes += checksum == 0xFFFF ? 1 : 0;
        }

        Assert.Equal(1, allOnes);
    }

    [Theory]
    [InlineData("10.7.0.2")]
    [InlineData("224.0.0.1")]
    [InlineData("127.0.0.1")]
    [InlineData("192.168.0.1")]
    [InlineData("10.7.0.255")]
    [InlineData("255.255.255.255")]
    public async Task There_is_no_way_to_itself_groups_other_networks_and_unasked_to_all(string destination)
    {
        using var device = new TestDevice();
        await using NicBinding nic = device.Bind();
        Run(device, nic, transmit => Assert.False(transmit.TrySend(5, new UdpEndPoint(Ipv4Address.Parse(destination), 9), "x"u8)));
        Assert.True(TestFrames.IsArp(device.TakeSent())); // The announcement.
        Assert.Null(device.TryTakeSent());
    }

    [Fact]
    public async Task Port_zero_and_payloads_over_the_MTU_are_not_sent()
    {
        using var device = new TestDevice();
        await using NicBinding nic = device.Bind();
        var peer = new UdpEndPoint(TestFrames.PeerAddress, 9);
        Run(device, nic, transmit => Assert.False(transmit.TrySend(5, new UdpEndPoint(TestFrames.PeerAddress, 0), "x"u8)));
        Run(device, nic, transmit => Assert.False(transmit.TrySend(5, peer, new byte[nic.MaxDatagramLength + 1])));
        Assert.True(TestFrames.IsArp(device.TakeSent()));
        Assert.Null(device.TryTakeSent());
        Run(device, nic, transmit => Assert.True(transmit.TrySend(5, peer, new byte[nic.MaxDatagramLength])));
    }

    private static Ipv4Address Unicast(uint host)
    {
        // Neighbours mostly; others by way of the gateway.
        Ipv4Address address = host % 4 == 0 ? new Ipv4Address(host) : new Ipv4Address(0x0A07_0003 + host % 200);
        return address.IsUnicast && address != TestFrames.OwnAddress && address.Value != 0x0A07_00FF ? address : TestFrames.PeerAddress;
    }

    private static void Check(byte[] frame, UdpEndPoint destination, ushort sourcePort, byte[] payload)
    {
        Assert.Equal(FrameError.None, EthernetView.TryParse(frame, out EthernetView ethernet));
        Assert.Equal(TestFrames.PeerMac, ethernet.Destination);
        Assert.Equal(TestFrames.OwnMac, ethernet.Source);
        Assert.Equal(EtherType.Ipv4, ethernet.Type);
        Assert.Equal(FrameError.None, Ipv4View.TryParse(ethernet.Payload, out Ipv4View packet));
        Assert.Equal(TestFrames.OwnAddress, packet.Source);
        Assert.Equal(destination.Address, packet.Destination);
        Assert.Equal(Ipv4View.DefaultTimeToLive, packet.TimeToLive);
        Assert.Equal(ethernet.Payload.Length, packet.TotalLength);
        Assert.Equal(FrameError.None, UdpView.TryParse(packet.Payload, packet.Source, packet.Destination, out UdpView datagram));
        Assert.NotEqual(0, packet.Payload[6] << 8 | packet.Payload[7]); // A checksum was computed.
        Assert.Equal((sourcePort, destination.Port), (datagram.SourcePort, datagram.DestinationPort));
        Assert.Equal(payload, datagram.Payload.ToArray());
    }

    private delegate void Sending(TransmitQueue transmit);

    private static void Run(TestDevice device, NicBinding nic, Sending action)
    {
        device.Deliver(TestFrames.Udp(1, 1, "x"u8));
        _ = nic.PollOnce((_, transmit) => action(transmit));
    }
}
