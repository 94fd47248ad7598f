using Arrakis.Native.Threads;

namespace Arrakis.UdpEchoServer;

/// <summary>UDP echo with the native API: each datagram is turned round in its packet buffer.</summary>
internal static class NativeEcho
{
    /// <summary>Serves until cancelled.</summary>
    public static Task RunAsync(NicBinding nic, EchoOrder order, Action<EchoReady> ready, CancellationToken cancellation)
    {
        var ended = new TaskCompletionSource();
        var thread = new Thread(() =>
        {
            try
            {
                Serve(nic, order, ready, cancellation);
                ended.SetResult();
            }
            catch (Exception e)
            {
                ended.SetException(e);
            }
        })
        {
            Name = "echo",
        };
        thread.Start();
        return ended.Task;
    }

    private static void Serve(NicBinding nic, EchoOrder order, Action<EchoReady> ready, CancellationToken cancellation)
    {
        ushort port = order.Port;
        ready(new EchoReady(PinnedThread.CurrentId, nic.Mac.ToString()));
        nic.Poll(
            new PollOptions { Core = order.Core, Idle = order.Spin ? IdlePolicy.Spin : IdlePolicy.Adaptive },
            (received, transmit) =>
            {
                foreach (Packet packet in received)
                {
                    if (packet.TryGetUdp(out UdpDatagram datagram) && datagram.DestinationPort == port)
                    {
                        _ = transmit.Post(datagram.Reply());
                    }
                }
            },
            cancellation);
    }
}
