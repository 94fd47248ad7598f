using System.Net.Sockets;
using Arrakis.Contract;
using Arrakis.SystemApp.Conversation;

namespace Arrakis.SystemApp.Roles;

/// <summary>
/// Echoes UDP on one binding of several queues, each polled by a thread of its own that sleeps when nothing comes. The command
/// "state" reports the queues; "release" gives the binding back.
/// </summary>
internal static class QueueEcho
{
    private static long[] s_datagrams = [];
    private static long s_misplaced;

    public static async Task PlayAsync(QueueEchoOrder order)
    {
        ArrakisClient client = await ArrakisClient.ConnectAsync(order.ControlSocket);
        NicBinding nic = await client.BindNicAsync(new NicRequest { QueuePairs = order.QueuePairs, Buffers = 1024 });
        s_datagrams = new long[nic.Queues.Count];
        foreach (NicQueue queue in nic.Queues)
        {
            await ServeAsync(queue, order);
        }

        Talk.Say(Echo.Bound(nic));
        while (Talk.NextCommand() is { } command)
        {
            if (command == "state")
            {
                long[] datagrams = [.. s_datagrams.Select((_, i) => Volatile.Read(ref s_datagrams[i]))];
                Talk.Say(new QueuesReport(datagrams, Volatile.Read(ref s_misplaced), nic.Counters.DatagramsDelivered, nic.LinkUp, nic.LinkEpoch));
            }
            else
            {
                await nic.DisposeAsync();
                Talk.Say(new GivenBackReport(nic.Grant.BindingId));
            }
        }
    }

    /// <summary>Completes when datagrams are answered.</summary>
    private static Task ServeAsync(NicQueue queue, QueueEchoOrder order)
    {
        if (order.Api == ServerApi.Native)
        {
            _ = Talk.Start($"queue {queue.Index}", () => ServePackets(queue, order.Port));
            return Task.CompletedTask;
        }

        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _ = Reactor.Start(queue).RunAsync(() => ServeSocketAsync(queue, order.Port, ready));
        return ready.Task;
    }

    private static void ServePackets(NicQueue queue, ushort port)
    {
        try
        {
            queue.Poll(new PollOptions(), (received, transmit) =>
            {
                foreach (Packet packet in received)
                {
                    if (packet.TryGetUdp(out UdpDatagram datagram) && datagram.DestinationPort == port)
                    {
                        Note(queue, datagram.Source, port);
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

    private static async Task ServeSocketAsync(NicQueue queue, ushort port, TaskCompletionSource ready)
    {
        try
        {
            using var socket = new UdpSocket(port);
            ready.SetResult();
            byte[] buffer = new byte[2048];
            while (true)
            {
                (int length, UdpEndPoint from) = await socket.ReceiveFromAsync(buffer);
                Note(queue, from, port);
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

    // By the queue's own thread.
    private static void Note(NicQueue queue, UdpEndPoint from, ushort port)
    {
        Volatile.Write(ref s_datagrams[queue.Index], s_datagrams[queue.Index] + 1);
        if (queue.Nic.QueueOf(from, port) != queue.Index)
        {
            _ = Interlocked.Increment(ref s_misplaced);
        }
    }
}
