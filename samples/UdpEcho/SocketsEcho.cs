namespace Arrakis.Samples.UdpEcho;

/// <summary>The echo server with sockets: the reactor's thread polls the rings, and awaits resume on it.</summary>
internal static class SocketsEcho
{
    internal static async Task RunAsync(NicBinding nic, EchoOptions options, CancellationToken stop)
    {
        using Reactor reactor = Reactor.Start(nic, options.Core, options.Idle);
        await reactor.RunAsync(async () =>
        {
            using var socket = new UdpSocket(options.Port);
            byte[] buffer = new byte[nic.Mtu];
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    (int length, UdpEndPoint from) = await socket.ReceiveFromAsync(buffer, stop);
                    await socket.SendToAsync(buffer.AsMemory(0, length), from, stop);
                }
                catch (OperationCanceledException)
                {
                    return;
                }
            }
        });
    }
}
