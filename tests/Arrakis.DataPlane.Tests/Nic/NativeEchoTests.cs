using Arrakis.DataPlane.Tests.Device;

namespace Arrakis.DataPlane.Tests.Nic;

public sealed class NativeEchoTests
{
    [Fact]
    public async Task A_datagram_is_answered_in_place_byte_by_byte()
    {
        using var device = new TestDevice();
        await using NicBinding nic = device.Bind();
        for (int length = 0; length <= nic.MaxDatagramLength; length += 31)
        {
            byte[] payload = [.. Enumerable.Range(0, length).Select(i => (byte)(i + length))];
            device.Deliver(TestFrames.Udp(1234, 7, payload));
            Assert.Equal(1, nic.PollOnce(Echo));
            (ushort source, ushort destination, byte[] answer) = TestFrames.ReadUdp(device.TakeSentIp());
            Assert.Equal(7, source);
            Assert.Equal(1234, destination);
            Assert.Equal(payload, answer);
        }
    }

    /// <summary>Answers as far as there is room.</summary>
    internal static void TryEcho(PacketBatch received, TransmitQueue transmit)
    {
        foreach (Packet packet in received)
        {
            if (packet.TryGetUdp(out UdpDatagram datagram))
            {
                _ = transmit.Post(datagram.Reply());
            }
        }
    }

    internal static void Echo(PacketBatch received, TransmitQueue transmit)
    {
        foreach (Packet packet in received)
        {
            if (packet.TryGetUdp(out UdpDatagram datagram) && datagram.DestinationPort == 7)
            {
                Assert.True(transmit.Post(datagram.Reply()));
            }
        }
    }
}
