using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Arrakis.UdpEchoServer;
using Arrakis.UdpLatency.Kernel;

namespace Arrakis.UdpLatency.Processes;

/// <summary>The roles by name.</summary>
internal static class Roles
{
    public const string KernelServer = "kernel-server";
    public const string KernelClient = "kernel-client";
    public const string KernelProbe = "kernel-probe";

    /// <summary>Plays a role; returns the process's exit code.</summary>
    public static async Task<int> PlayAsync(string role, string order)
    {
        Conversation.OnParentGone(static () => Environment.Exit(0));
        switch (role)
        {
            case KernelServer:
                KernelEchoServer.Run(
                    Read(order, RoleJson.Default.ServerOrder),
                    thread => Conversation.Answer(new ServingThread(thread), RoleJson.Default.ServingThread));
                return 0;
            case KernelClient:
                Conversation.Answer(LatencyClient.Run(Read(order, RoleJson.Default.ClientOrder)), RoleJson.Default.Measurement);
                return 0;
            case KernelProbe:
                Conversation.Answer(await Probes.KernelProbe.RunAsync(Read(order, RoleJson.Default.ProbeOrder)), RoleJson.Default.ProbeReport);
                return 0;
            default:
                await Console.Error.WriteLineAsync($"There is no role '{role}'.");
                return 2;
        }
    }

    private static T Read<T>(string order, JsonTypeInfo<T> type) => JsonSerializer.Deserialize(order, type)!;
}
