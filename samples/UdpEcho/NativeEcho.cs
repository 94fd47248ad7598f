namespace Arrakis.Samples.UdpEcho;

/// <summary>The echo server with the native interface: the reply is made in the buffer that the request came in.</summary>
internal static class NativeEcho
{
    internal static Task RunAsync(NicBinding nic, EchoOptions options, CancellationToken stop) =>
        Task.Factory.StartNew(
            () => Poll(nic, options, stop),
            CancellationToken.None,
            TaskCreationOptions.LongRunning, // Poll keeps its thread.
            TaskScheduler.Default);

    private static void Poll(NicBinding nic, EchoOptions options, CancellationToken stop)
    {
        ushort port = options.Port;
        PacketHandler echo = (received, transmit) =>
        {
            foreach (Packet packet in received)
            {
                if (packet.TryGetUdp(out UdpDatagram datagram) && datagram.DestinationPort == port)
                {
                    transmit.Post(datagram.Reply());
                }
            }
        };
        try
        {
            nic.Poll(new PollOptions { Core = options.Core, Idle = options.Idle }, echo, stop);
        }
        catch (OperationCanceledException)
        {
            // The server ends.
        }
    }
}
