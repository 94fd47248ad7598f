using Arrakis.DataPlane.Tests.Device;
using Arrakis.Wire;
using Arrakis.Wire.Frames;

namespace Arrakis.DataPlane.Tests.Ip;

public sealed class IcmpEchoTests
{
    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 0)]
    [InlineData(56, 0)]
    [InlineData(57, 10)]
    [InlineData(230, 0)]
    [InlineData(300, 3)]
    [InlineData(1472, 0)]
    public async Task An_echo_request_is_answered_with_its_own_data_and_without_its_options(int length, int optionWords)
    {
        using var device = new TestDevice();
        await using NicBinding nic = device.Bind();
        byte[] data = [.. Enumerable.Range(0, length).Select(static i => (byte)(i * 7))];
        byte[] request = TestFrames.Echo(data);
        if (optionWords != 0)
        {
            request = request.WithOptions(optionWords);
        }

        device.Deliver(request);
        Assert.Equal(1, nic.PollOnce(static (_, _) => Assert.Fail("an echo request is not for the handler")));
        byte[] frame = device.TakeSentIp();
        Assert.Equal(FrameError.None, EthernetView.TryParse(frame, out EthernetView ethernet));
        Assert.Equal(TestFrames.PeerMac, ethernet.Destination);
        Assert.Equal(TestFrames.OwnMac, ethernet.Source);
        Assert.Equal(FrameError.None, Ipv4View.TryParse(ethernet.Payload, out Ipv4View packet));
        Assert.Equal(TestFrames.OwnAddress, packet.Source);
        Assert.Equal(TestFrames.PeerAddress, packet.Destination);
        Assert.Equal(Ipv4View.MinHeaderLength, packet.HeaderLength);
        Assert.Equal(IpProtocol.Icmp, packet.Protocol);
        Assert.Equal(FrameError.None, IcmpView.TryParse(packet.Payload, out IcmpView message));
        Assert.Equal(IcmpType.EchoReply, message.Type);
        Assert.Equal([0, 1, 0, 2], message.Message[4..8].ToArray()); // Identifier and sequence number of the request.
        Assert.Equal(data, message.Message[IcmpView.HeaderLength..].ToArray());
        Assert.Equal(1, nic.Counters.EchoRequests);
    }

    [Theory]
    [InlineData("10.7.0.255")]
    [InlineData("255.255.255.255")]
    public async Task A_request_to_all_is_counted_and_not_answered(string destination)
    {
        using var device = new TestDevice();
        await using NicBinding nic = device.Bind();
        _ = nic.PollOnce(static (_, _) => { });
        _ = device.TakeSent();
        byte[] request = TestFrames.Echo("x"u8).To(MacAddress.Broadcast);
        Ipv4Address.Parse(destination).Write(request.AsSpan(EthernetView.HeaderLength + 16));
        device.Deliver(request.FixIp());
        _ = nic.PollOnce(static (_, _) => { });
        Assert.Equal(1, nic.Counters.EchoRequests);
        Assert.Null(device.TryTakeSent());
    }

    [Fact]
    public async Task A_flood_of_requests_is_answered_as_far_as_there_is_room_and_no_buffer_is_lost()
    {
        using var device = new TestDevice(queueSize: 8, buffers: 20);
        await using NicBinding nic = device.Bind();
        byte[] request = TestFrames.Echo(new byte[1000]);
        for (int round = 0; round < 500; round++)
        {
            while (device.TryDeliver(request))
            {
            }

            _ = nic.PollOnce(static (_, _) => { });
            if (round % 3 == 0)
            {
                while (device.TryTakeSent() is not null)
                {
                }
            }
        }

        Assert.NotEqual(0, nic.Counters[DropReason.TransmitRingFull]);
        while (device.TryTakeSent() is not null)
        {
        }

        device.Deliver(request);
        _ = nic.PollOnce(static (_, _) => { });
        Assert.NotNull(device.TryTakeSent());
    }
}
