using System.Net;
using Arrakis.SoftDevice.Ports.Vf;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.Wire.Frames;
using Arrakis.Wire.Virtio;
using static Arrakis.SoftDevice.Tests.Support.SwitchUnderTest;

namespace Arrakis.SoftDevice.Tests.Switch;

public sealed class FlowTests
{
    // The published verification suite: destination, source, then the hash over addresses, and over addresses and ports.
    [Theory]
    [InlineData("161.142.100.80", 1766, "66.9.149.187", 2794, 0x323e8fc2u, 0x51ccc178u)]
    [InlineData("65.69.140.83", 4739, "199.92.111.2", 14230, 0xd718262au, 0xc626b0eau)]
    [InlineData("12.22.207.184", 38024, "24.19.198.95", 12898, 0xd2d0a5deu, 0x5c2b394au)]
    [InlineData("209.142.163.6", 2217, "38.27.205.30", 48228, 0x82989176u, 0xafc7327fu)]
    [InlineData("202.188.127.2", 1303, "153.39.163.191", 44251, 0x5d1809c5u, 0x10e828a2u)]
    [InlineData("3ffe:2501:200:3::1", 1766, "3ffe:2501:200:1fff::7", 2794, 0x2cc18cd5u, 0x40207d3du)]
    [InlineData("ff02::1", 4739, "3ffe:501:8::260:97ff:fe40:efab", 14230, 0x0f0c461cu, 0xdde51bbfu)]
    [InlineData("fe80::200:f8ff:fe21:67cf", 38024, "3ffe:1900:4545:3:200:f8ff:fe21:67cf", 44251, 0x4b61e985u, 0x02d1feefu)]
    public void The_hash_is_that_of_the_published_vectors(string destination, int destinationPort, string source, int sourcePort, uint addresses, uint ports)
    {
        byte[] pair = [.. IPAddress.Parse(source).GetAddressBytes(), .. IPAddress.Parse(destination).GetAddressBytes()];
        byte[] withPorts = [.. pair, (byte)(sourcePort >> 8), (byte)sourcePort, (byte)(destinationPort >> 8), (byte)destinationPort];
        Assert.Equal(addresses, ToeplitzHash.Compute(pair));
        Assert.Equal(ports, ToeplitzHash.Compute(withPorts));
        Assert.Equal(ports, ToeplitzHash.Compute(ToeplitzHash.Key, withPorts));

        bool isIpv6 = pair.Length == 32;
        byte[] frame = new byte[14 + (isIpv6 ? 40 : 20) + 8];
        EthernetView.Write(frame, Mac(0), Mac(1), isIpv6 ? EtherType.Ipv6 : EtherType.Ipv4);
        frame[14] = (byte)(isIpv6 ? 0x60 : 0x45);
        frame[isIpv6 ? 20 : 23] = (byte)IpProtocol.Udp;
        pair.CopyTo(frame, isIpv6 ? 22 : 26);
        withPorts[^4..].CopyTo(frame, isIpv6 ? 54 : 34);
        Assert.Equal(ports, ToeplitzHash.OfFrame(frame));
        frame[isIpv6 ? 20 : 23] = (byte)IpProtocol.Icmp;
        Assert.Equal(addresses, ToeplitzHash.OfFrame(frame));
        if (!isIpv6)
        {
            // A fragment: only the first has ports, so none is told by them.
            frame[23] = (byte)IpProtocol.Udp;
            frame[20] = 0x20;
            Assert.Equal(addresses, ToeplitzHash.OfFrame(frame));
        }
    }

    [Fact]
    public void A_frame_of_any_length_has_a_hash()
    {
        byte[] frame = Frames.Udp(Mac(0), Mac(1), Address(1), Address(0));
        frame[14] = 0x4F;
        for (int length = 0; length <= frame.Length; length++)
        {
            _ = ToeplitzHash.OfFrame(frame.AsSpan(0, length));
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    public void A_flow_stays_in_one_queue_and_flows_are_spread_over_all(int pairs)
    {
        using var device = new SwitchUnderTest();
        device.ConfigureAll();
        QueueMemory[] memories = new QueueMemory[pairs];
        DriverRing[] rings = new DriverRing[pairs];
        for (int pair = 0; pair < pairs; pair++)
        {
            rings[pair] = DriverRing.Create(1024, 256, out memories[pair]);
            while (rings[pair].TryOffer())
            {
            }

            device.Core.Functions[1].AttachReceive(pair, new RunningRing(rings[pair].AttachDevice(), memories[pair].Table, VirtioFeatures.Version1, null, null, true));
        }

        const int Flows = 256;
        for (int round = 0; round < 2; round++)
        {
            for (ushort flow = 0; flow < Flows; flow++)
            {
                device.Send(0, Frames.Udp(Mac(1), Mac(0), Address(0), Address(1), sourcePort: (ushort)(1000 + flow)));
            }
        }

        device.Send(0, Frames.Arp(ArpOperation.Reply, Mac(1), Mac(0), Mac(0), Address(0), Address(1)));
        Dictionary<int, int> queueOf = [];
        for (int pair = 0; pair < pairs; pair++)
        {
            int count = 0;
            while (rings[pair].TryTake(out byte[] data))
            {
                int port = data[12 + 34] << 8 | data[12 + 35];
                if (data[12 + 13] == 6)
                {
                    Assert.Equal(0, pair); // ARP has no flow
                    continue;
                }

                count++;
                Assert.Equal(pair, queueOf.GetValueOrDefault(port, pair));
                queueOf[port] = pair;
            }

            Assert.InRange(count, 2 * Flows / pairs / 2, 2 * Flows / pairs * 2);
            memories[pair].Dispose();
            device.Core.Functions[1].AttachReceive(pair, null);
        }

        Assert.Equal(Flows, queueOf.Count);
    }

    [Fact]
    public void All_transmit_rings_have_their_turn()
    {
        using var device = new SwitchUnderTest();
        device.ConfigureAll();
        DriverRing second = DriverRing.Create(256, 256, out QueueMemory memory);
        using (memory)
        {
            device.Core.Functions[0].AttachTransmit(3, new RunningRing(second.AttachDevice(), memory.Table, VirtioFeatures.Version1, null, null, true));
            byte[] frame = [.. new byte[12], .. Frames.Udp(Mac(1), Mac(0), Address(0), Address(1))];
            for (int i = 0; i < 60; i++)
            {
                Assert.True(device.Transmit(0).TrySend(frame));
                Assert.True(second.TrySend(frame));
            }

            Assert.True(device.Core.PollOnce());
            Assert.Equal(VfPort.BatchLength, device.Received(1).Count);
            Assert.True(device.Core.PollOnce());
            Assert.Equal(VfPort.BatchLength, device.Received(1).Count);
            Assert.Equal(VfPort.BatchLength, device.Transmit(0).UsedIndex);
            Assert.Equal(VfPort.BatchLength, second.UsedIndex);
            device.Poll();
            Assert.Equal(60, second.UsedIndex);
            device.Core.Functions[0].AttachTransmit(3, null);
        }
    }
}
