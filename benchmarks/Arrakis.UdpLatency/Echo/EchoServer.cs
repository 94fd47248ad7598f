using Arrakis.UdpLatency.Processes;
using Arrakis.Wire;

namespace Arrakis.UdpLatency.Echo;

/// <summary>The process of an echo server on a binding.</summary>
internal static class EchoServer
{
    private static readonly TimeSpan s_healthInterval = TimeSpan.FromSeconds(1);

    /// <summary>Binds, says so, and serves until cancelled.</summary>
    public static async Task RunAsync(EchoOrder order, bool native, CancellationToken cancellation)
    {
        await using ArrakisClient client = await ArrakisClient.ConnectAsync(order.ControlSocket, cancellation);
        await using NicBinding nic = await client.BindNicAsync(
            new NicRequest { Device = order.Device, Address = Ipv4Prefix.Parse(order.Address, null) },
            cancellation);
        using var health = new Timer(static _ => Role.Answer(new EchoHealth(GC.GetTotalMemory(forceFullCollection: false)), RoleJson.Default.EchoHealth));
        void Ready(EchoReady ready)
        {
            Role.Answer(ready, RoleJson.Default.EchoReady);
            _ = health.Change(s_healthInterval, s_healthInterval);
        }

        try
        {
            await (native ? NativeEcho.RunAsync(nic, order, Ready, cancellation) : SocketEcho.RunAsync(nic, order, Ready, cancellation));
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // The parent has what it wanted.
        }
    }
}
