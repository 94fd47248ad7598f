using System.Text.Json;
using Arrakis.SystemApp.Conversation;
using Arrakis.SystemApp.Transfer;
using Arrakis.Wire;

namespace Arrakis.SystemApp.Roles;

/// <summary>
/// One end of transfers over a binding of its own: it receives by the native interface, straight from the ring, and sends
/// through a UDP socket. Each command on its standard input is a transfer; the stack answers pings between them too.
/// </summary>
internal static class RingTransfer
{
    private const int QueueSize = 1024; // A window fits.
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(5);

    public static async Task PlayAsync(RingTransferOrder order)
    {
        await using ArrakisClient client = await ArrakisClient.ConnectAsync(order.ControlSocket);
        await using NicBinding nic = await client.BindNicAsync(new NicRequest
        {
            Device = order.Device,
            Address = Ipv4Prefix.Parse(order.Address),
            Mac = MacAddress.Parse(order.Mac),
            RingFormat = order.Rings,
            QueueSize = QueueSize,
            Buffers = 4 * QueueSize,
        });
        Talk.Say(Echo.Bound(nic));
        while (true)
        {
            // The stack runs while nothing is transferred, too.
            using var waiting = new CancellationTokenSource();
            Thread polling = Talk.Start("waiting", () => nic.Poll(new PollOptions { Core = order.Core }, static (_, _) => { }, waiting.Token));
            string? command = Talk.NextCommand();
            await waiting.CancelAsync();
            polling.Join();
            if (command is null)
            {
                return;
            }

            TransferCommand transfer = JsonSerializer.Deserialize(command, ConversationJson.Default.TransferCommand)!;
            if (transfer.Sends)
            {
                await SendAsync(nic, order, transfer);
            }
            else
            {
                Receive(nic, order, transfer);
            }
        }
    }

    private static void Receive(NicBinding nic, RingTransferOrder order, TransferCommand transfer)
    {
        using var receiver = new TransferReceiver(transfer.Transfer);
        using var stop = new CancellationTokenSource();
        bool isReported = false;
        Thread polling = Talk.Start("receive", () => nic.Poll(new PollOptions { Core = order.Core }, Handle, stop.Token));

        // Answers on after the report: the sender may not have heard that all is here. Any command ends it.
        Talk.Say(new ListeningReport());
        _ = Talk.NextCommand();
        stop.Cancel();
        polling.Join();

        void Handle(PacketBatch received, TransmitQueue transmit)
        {
            foreach (Packet packet in received)
            {
                if (!packet.TryGetUdp(out UdpDatagram datagram) || datagram.DestinationPort != order.Port)
                {
                    continue;
                }

                // The answer goes back in the packet that it answers.
                int length = receiver.Receive(datagram.Payload, datagram.PayloadBuffer);
                if (length != 0)
                {
                    _ = transmit.Post(datagram.Reply(length));
                }
            }

            if (receiver.Sha256 is { } hash && !isReported)
            {
                isReported = true;
                Talk.Say(new StreamReport(receiver.Length, Convert.ToHexStringLower(hash)));
            }
        }
    }

    private static async Task SendAsync(NicBinding nic, RingTransferOrder order, TransferCommand transfer)
    {
        using var sender = new TransferSender(transfer.Transfer, transfer.Seed, transfer.Length);
        using (Reactor reactor = Reactor.Start(nic, order.Core))
        {
            await reactor.RunAsync(() => SendAsync(order, transfer, sender));
        }

        Talk.Say(new StreamReport(transfer.Length, Convert.ToHexStringLower(sender.Sha256), sender.Repeated));
    }

    // Both loops run on the reactor's thread and meet only where they wait.
    private static async Task SendAsync(RingTransferOrder order, TransferCommand transfer, TransferSender sender)
    {
        using var socket = new UdpSocket(order.Port);
        var peer = new UdpEndPoint(Ipv4Address.Parse(order.Peer), transfer.PeerPort);
        Task answers = TakeAnswersAsync(socket, peer, sender);
        byte[] datagram = new byte[TransferFormat.MaxLength];
        while (sender.ReceiversSha256 is null)
        {
            await SendWhatIsDueAsync(socket, peer, sender, datagram);
            await Reactor.Delay(s_pause);
        }

        await answers;
    }

    private static async Task TakeAnswersAsync(UdpSocket socket, UdpEndPoint peer, TransferSender sender)
    {
        byte[] answer = new byte[TransferFormat.MaxLength];
        byte[] datagram = new byte[TransferFormat.MaxLength];
        while (sender.ReceiversSha256 is null)
        {
            (int length, UdpEndPoint from) = await socket.ReceiveFromAsync(answer);
            if (from == peer)
            {
                sender.Receive(Environment.TickCount64, answer.AsSpan(0, length));
                await SendWhatIsDueAsync(socket, peer, sender, datagram);
            }
        }
    }

    private static async Task SendWhatIsDueAsync(UdpSocket socket, UdpEndPoint peer, TransferSender sender, byte[] datagram)
    {
        while (sender.TryNext(Environment.TickCount64, datagram, out int length))
        {
            _ = await socket.SendToAsync(datagram.AsMemory(0, length), peer);
        }
    }
}
