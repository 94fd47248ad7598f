using Arrakis.TestBed.Daemon;
namespace Arrakis.UdpLatency.Daemon;

/// <summary>The files with which a daemon of our own runs: one software device, and a policy that lets root have everything.</summary>
internal static class DaemonConfiguration
{
    public const string Device = "soft0";
    public const string ConfigurationFile = "arrakisd.json";
    public const string ControlSocket = "control.sock";
    private const string PolicyFile = "policy.json";

    /// <summary>Writes them.</summary>
    /// <param name="folder">Where to; the daemon's sockets are there too.</param>
    /// <param name="core">The device's core.</param>
    /// <param name="idle">What the device does when nothing comes: spin or adaptive.</param>
    /// <param name="uplink">Name of the kernel's interface on the uplink; null has none.</param>
    public static void Write(string folder, int core, string idle, string? uplink)
    {
        File.WriteAllText(Path.Combine(folder, ConfigurationFile), $$"""
            {
              "socket": { "path": "{{folder}}/{{ControlSocket}}" },
              "runtimeDirectory": "{{folder}}",
              "policyFile": "{{folder}}/{{PolicyFile}}",
              "keeper": "process",
              "softDevicePath": "{{Programs.SoftDevice}}",
              "devices": [
                {
                  "kind": "soft",
                  "name": "{{Device}}",
                  "networks": ["{{DemoNetwork.Prefix}}"],
                  "functions": 4,
                  "core": {{core}},
                  "idle": "{{idle}}",
                  "uplink": {{(uplink is null ? "null" : $"\"{uplink}\"")}}
                }
              ]
            }
            """);
        File.WriteAllText(Path.Combine(folder, PolicyFile), $$"""
            {
              "rules": [
                { "name": "demo", "uid": 0, "devices": ["{{Device}}"], "virtualFunctions": 4, "administrator": true }
              ]
            }
            """);
    }
}
