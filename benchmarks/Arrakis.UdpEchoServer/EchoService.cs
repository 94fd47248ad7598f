using System.Diagnostics;
using System.Runtime;
using System.Runtime.CompilerServices;
using Arrakis.Wire;

namespace Arrakis.UdpEchoServer;

/// <summary>The process of an echo server on a binding.</summary>
internal static class EchoService
{
    private static readonly TimeSpan s_healthInterval = TimeSpan.FromMilliseconds(500);

    /// <summary>Binds, says so, and serves until cancelled.</summary>
    public static async Task RunAsync(EchoOrder order, CancellationToken cancellation)
    {
        await using ArrakisClient client = await ArrakisClient.ConnectAsync(order.ControlSocket, cancellation);
        await using NicBinding nic = await client.BindNicAsync(
            new NicRequest { Device = order.Device, Address = Ipv4Prefix.Parse(order.Address, null) },
            cancellation);
        using var health = new Timer(static _ => Conversation.Answer(Health(), EchoJson.Default.EchoHealth));
        using var noise = NoiseThreads.Start(order.Noise, order.Mode);
        void Ready(EchoReady ready)
        {
            Conversation.Answer(ready, EchoJson.Default.EchoReady);
            _ = health.Change(s_healthInterval, s_healthInterval);
        }

        try
        {
            await (order.IsNative ? NativeEcho.RunAsync(nic, order, Ready, cancellation) : SocketEcho.RunAsync(nic, order, Ready, cancellation));
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // The parent has what it wanted.
        }
    }

    private static EchoHealth Health() => new(
        GC.GetTotalMemory(forceFullCollection: false),
        GC.GetTotalAllocatedBytes(),
        GC.CollectionCount(0), // A collection of an older generation is one of the youngest too.
        GC.GetTotalPauseDuration().TotalMilliseconds,
        Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency,
        $"{(GCSettings.IsServerGC ? "server" : "workstation")}, {GCSettings.LatencyMode}{(RuntimeFeature.IsDynamicCodeSupported ? "" : ", NativeAOT")}");
}
