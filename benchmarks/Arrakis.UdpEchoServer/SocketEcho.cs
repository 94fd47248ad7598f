using Arrakis.Native.Threads;

namespace Arrakis.UdpEchoServer;

/// <summary>UDP echo with <see cref="UdpSocket"/> and async/await.</summary>
internal static class SocketEcho
{
    private const int BufferLength = 2048;

    /// <summary>Serves until cancelled.</summary>
    public static async Task RunAsync(NicBinding nic, EchoOrder order, Action<EchoReady> ready, CancellationToken cancellation)
    {
        using Reactor reactor = Reactor.Start(nic, order.Core, order.Spin ? IdlePolicy.Spin : IdlePolicy.Adaptive);
        await reactor.RunAsync(async () =>
        {
            using var socket = new UdpSocket(order.Port);
            byte[] buffer = new byte[BufferLength];
            ready(new EchoReady(PinnedThread.CurrentId, nic.Mac.ToString()));
            while (!cancellation.IsCancellationRequested)
            {
                (int length, UdpEndPoint from) = await socket.ReceiveFromAsync(buffer, cancellation);
                _ = await socket.SendToAsync(buffer.AsMemory(0, length), from, cancellation);
            }
        });
    }
}
