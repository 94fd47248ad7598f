namespace Arrakis.UdpLatency.Kernel;

/// <summary>UDP echo on a kernel socket with recvmmsg and sendmmsg, polled without rest: the most requests a second that a .NET program gets out of one.</summary>
internal static class BatchEcho
{
    public const int BatchLength = 64;

    /// <summary>Serves until the process ends.</summary>
    public static void Run(int socket)
    {
        var batch = new MessageBatch(BatchLength, withNames: true);
        while (true)
        {
            int count = batch.Receive(socket);
            for (int i = 0; i < count; i++)
            {
                batch.Reply(i);
            }

            batch.Send(socket, count);
        }
    }
}
