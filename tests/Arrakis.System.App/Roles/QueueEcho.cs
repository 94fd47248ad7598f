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
            await EchoServer.ServeAsync(queue, order.Api, order.Port, from => Note(queue, from, order.Port));
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
