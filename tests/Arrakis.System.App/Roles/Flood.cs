using System.Net.Sockets;
using Arrakis.SystemApp.Conversation;
using Arrakis.Wire;

namespace Arrakis.SystemApp.Roles;

/// <summary>Sends datagrams to an address as fast as its ring takes them, whether or not anyone answers.</summary>
internal static class Flood
{
    private const int Burst = 64;
    private static readonly TimeSpan s_turn = TimeSpan.FromMicroseconds(20);

    public static async Task PlayAsync(FloodOrder order)
    {
        await using ArrakisClient client = await ArrakisClient.ConnectAsync(order.ControlSocket);
        await using NicBinding nic = await client.BindNicAsync(new NicRequest());
        using Reactor reactor = Reactor.Start(nic);
        var target = new UdpEndPoint(Ipv4Address.Parse(order.Target), order.Port);
        Task sending = reactor.RunAsync(() => SendAsync(target));
        Talk.Say(Echo.Bound(nic));
        Talk.WaitForEnd();
        Environment.Exit(0); // It would send on for ever.
        await sending;
    }

    private static async Task SendAsync(UdpEndPoint target)
    {
        using var socket = new UdpSocket(0);
        byte[] payload = new byte[64];
        while (true)
        {
            try
            {
                for (int i = 0; i < Burst; i++)
                {
                    _ = await socket.SendToAsync(payload, target);
                }
            }
            catch (SocketException)
            {
                // Nobody has the address at present.
            }

            await Reactor.Delay(s_turn); // The reactor has other things to do too.
        }
    }
}
