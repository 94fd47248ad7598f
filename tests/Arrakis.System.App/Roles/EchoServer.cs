using System.Net.Sockets;
using Arrakis.Contract;
using Arrakis.SystemApp.Conversation;

namespace Arrakis.SystemApp.Roles;

/// <summary>Echoes UDP on a queue, polled by a thread of its own that sleeps when nothing comes.</summary>
internal static class EchoServer
{
    /// <summary>Completes when datagrams are answered.</summary>
    /// <param name="queue">The queue.</param>
    /// <param name="api">What serves it.</param>
    /// <param name="port">The port.</param>
    /// <param name="note">Called by the queue's own thread with the sender of each datagram, before the answer.</param>
    public static Task ServeAsync(NicQueue queue, ServerApi api, ushort port, Action<UdpEndPoint>? note = null)
    {
        if (api == ServerApi.Native)
        {
            _ = Talk.Start($"echo {queue.Nic.Grant.BindingId}.{queue.Index}", () => ServePackets(queue, port, note));
            return Task.CompletedTask;
        }

        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _ = Reactor.Start(queue).RunAsync(() => ServeSocketAsync(queue, port, note, ready));
        return ready.Task;
    }

    private static void ServePackets(NicQueue queue, ushort port, Action<UdpEndPoint>? note)
    {
        try
        {
            queue.Poll(new PollOptions(), (received, transmit) =>
            {
                foreach (Packet packet in received)
                {
                    if (packet.TryGetUdp(out UdpDatagram datagram) && datagram.DestinationPort == port)
                    {
                        note?.Invoke(datagram.Source);
                        _ = transmit.Post(datagram.Reply());
                    }
                }
            });
        }
        catch (BindingRevokedException e)
        {
            Talk.Say(new RevokedReport(e.BindingId, e.Generation, e.State, e.Repossessed));
        }
        catch (ObjectDisposedException)
        {
            // It was given back.
        }
    }

    private static async Task ServeSocketAsync(NicQueue queue, ushort port, Action<UdpEndPoint>? note, TaskCompletionSource ready)
    {
        try
        {
            using var socket = new UdpSocket(port);
            ready.SetResult();
            byte[] buffer = new byte[2048];
            while (true)
            {
                (int length, UdpEndPoint from) = await socket.ReceiveFromAsync(buffer);
                note?.Invoke(from);
                _ = await socket.SendToAsync(buffer.AsMemory(0, length), from);
            }
        }
        catch (BindingRevokedException e)
        {
            Talk.Say(new RevokedReport(e.BindingId, e.Generation, e.State, e.Repossessed));
        }
        catch (SocketException) when (queue.Nic.State == BindingState.Released)
        {
            // It was given back.
        }
        catch (Exception e)
        {
            Talk.Say(new FailureReport(e.ToString()));
        }
    }
}
