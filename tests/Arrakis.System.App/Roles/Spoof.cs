using Arrakis.SystemApp.Conversation;
using Arrakis.Wire;
using Arrakis.Wire.Frames;

namespace Arrakis.SystemApp.Roles;

/// <summary>
/// Sends frames in another's name, and frames for everyone: a round of them for each datagram that it receives, so
/// that who sends those sets the pace.
/// </summary>
internal static class Spoof
{
    private static readonly MacAddress s_foreignMac = new(0x02_00_00_00_BE_EF);
    private static readonly Ipv4Address s_foreignAddress = Ipv4Address.Parse("10.97.0.77");

    public static async Task PlayAsync(SpoofOrder order)
    {
        await using ArrakisClient client = await ArrakisClient.ConnectAsync(order.ControlSocket);
        await using NicBinding nic = await client.BindNicAsync(new NicRequest());
        using var stop = new CancellationTokenSource();
        Thread polling = Talk.Start("spoof", () => nic.Poll(new PollOptions(), (received, transmit) => SendRounds(received.Count, transmit, nic, order), stop.Token));
        Talk.Say(Echo.Bound(nic));
        Talk.WaitForEnd();
        await stop.CancelAsync();
        polling.Join();
    }

    private static void SendRounds(int rounds, TransmitQueue transmit, NicBinding nic, SpoofOrder order)
    {
        var victim = MacAddress.Parse(order.VictimMac);
        var victimAddress = Ipv4Address.Parse(order.VictimAddress);
        for (int i = 0; i < rounds; i++)
        {
            SendUdp(transmit, s_foreignMac, nic.Address.Address, victim, victimAddress, order.Port);
            SendUdp(transmit, victim, nic.Address.Address, victim, victimAddress, order.Port);
            SendUdp(transmit, nic.Mac, s_foreignAddress, victim, victimAddress, order.Port);
            SendUdp(transmit, s_foreignMac, nic.Address.Address, MacAddress.Broadcast, victimAddress, order.Port);
            SendArp(transmit, nic.Mac, victimAddress, victim);
        }

        Talk.Say(new DoneReport(rounds));
    }

    private static void SendUdp(TransmitQueue transmit, MacAddress source, Ipv4Address sourceAddress, MacAddress destination, Ipv4Address destinationAddress, ushort port)
    {
        const int Payload = 32;
        if (transmit.TryRent(EthernetView.HeaderLength + Ipv4View.MinHeaderLength + UdpView.HeaderLength + Payload, out Packet packet))
        {
            Span<byte> frame = packet.Frame;
            frame.Clear();
            EthernetView.Write(frame, destination, source, EtherType.Ipv4);
            Ipv4View.Write(frame[EthernetView.HeaderLength..], UdpView.HeaderLength + Payload, IpProtocol.Udp, sourceAddress, destinationAddress);
            UdpView.Write(frame[(EthernetView.HeaderLength + Ipv4View.MinHeaderLength)..], sourceAddress, port, destinationAddress, port);
            _ = transmit.Post(packet);
        }
    }

    /// <summary>Claims the victim's address for the own MAC.</summary>
    private static void SendArp(TransmitQueue transmit, MacAddress source, Ipv4Address claimed, MacAddress destination)
    {
        if (transmit.TryRent(EthernetView.MinFrameLength, out Packet packet))
        {
            Span<byte> frame = packet.Frame;
            frame.Clear();
            EthernetView.Write(frame, destination, source, EtherType.Arp);
            ArpView.Write(frame[EthernetView.HeaderLength..], ArpOperation.Reply, source, claimed, destination, claimed);
            _ = transmit.Post(packet);
        }
    }
}
