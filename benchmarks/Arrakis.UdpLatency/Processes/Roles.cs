using System.Text.Json;
using Arrakis.UdpLatency.Kernel;

namespace Arrakis.UdpLatency.Processes;

/// <summary>The roles by name.</summary>
internal static class Roles
{
    public const string KernelServer = "kernel-server";
    public const string KernelClient = "kernel-client";

    /// <summary>Plays a role; returns the process's exit code.</summary>
    public static int Play(string role, string order)
    {
        Role.EndWithParent();
        switch (role)
        {
            case KernelServer:
                KernelEchoServer.Run(
                    JsonSerializer.Deserialize(order, RoleJson.Default.ServerOrder)!,
                    thread => Role.Answer(new ServingThread(thread), RoleJson.Default.ServingThread));
                return 0;
            case KernelClient:
                Role.Answer(LatencyClient.Run(JsonSerializer.Deserialize(order, RoleJson.Default.ClientOrder)!), RoleJson.Default.Measurement);
                return 0;
            default:
                Console.Error.WriteLine($"There is no role '{role}'.");
                return 2;
        }
    }
}
