namespace Arrakis.TestBed.Daemon;

/// <summary>What a daemon of one's own is configured with: one software device, and what else a test needs.</summary>
public sealed record DaemonSetup
{
    /// <summary>Name of the software device.</summary>
    public const string Device = "soft0";

    /// <summary>Name of its block functions' device.</summary>
    public const string BlockDevice = "soft0-blk";

    /// <summary>Permission bits of the control socket, in octal; tests connect as other users too.</summary>
    public string SocketMode { get; init; } = "0666";

    /// <summary>Whether there is a software device.</summary>
    public bool HasSoftDevice { get; init; } = true;

    /// <summary>The network of the software device.</summary>
    public string Network { get; init; } = "10.97.0.0/24";

    /// <summary>Virtual functions of the software device.</summary>
    public int Functions { get; init; } = 4;

    /// <summary>The core of the device's polling thread; null pins to none.</summary>
    public int? Core { get; init; }

    /// <summary>What the device does when nothing comes: adaptive or spin.</summary>
    public string Idle { get; init; } = "adaptive";

    /// <summary>Name of the kernel's interface on the uplink; null has none.</summary>
    public string? Uplink { get; init; }

    /// <summary>What all functions of the software device together may send; null is no limit.</summary>
    public long? RateBitsPerSecond { get; init; }

    /// <summary>The file of the software device's storage areas; null has none.</summary>
    public string? BlockFile { get; init; }

    /// <summary>Bytes of a block of these.</summary>
    public int BlockSize { get; init; } = 4096;

    /// <summary>Block functions of the software device.</summary>
    public int BlockFunctions { get; init; } = 4;

    /// <summary>Whether storage areas are shown as files, below the daemon's folder.</summary>
    public bool ShowsAreasAsFiles { get; init; }

    /// <summary>Who keeps descriptors: process or none.</summary>
    public string Keeper { get; init; } = "process";

    /// <summary>What becomes of bindings when the daemon is told to stop: release or keep.</summary>
    public string OnStop { get; init; } = "release";

    /// <summary>More devices, each a JSON object of the configuration's form.</summary>
    public IReadOnlyList<string> MoreDevices { get; init; } = [];

    /// <summary>The limits, a JSON object of the configuration's form.</summary>
    public string Limits { get; init; } = "{}";

    /// <summary>The policy; root may do everything unless told otherwise.</summary>
    public string Policy { get; init; } = """
        { "rules": [ { "name": "root", "uid": 0, "devices": ["*"], "areas": ["*"], "virtualFunctions": 64, "memoryBytes": 4294967296, "queueSize": 32768, "macs": "local", "administrator": true } ] }
        """;

    /// <summary>Variables of the daemon's environment.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    internal string Configuration(string folder) => $$"""
        {
          "socket": { "path": "{{folder}}/{{DaemonProcess.SocketName}}", "mode": "{{SocketMode}}" },
          "runtimeDirectory": "{{folder}}",
          "stateDirectory": "{{folder}}/state",
          "policyFile": "{{folder}}/{{DaemonProcess.PolicyName}}",
          "keeper": "{{Keeper}}",
          "onStop": "{{OnStop}}",
          "softDevicePath": "{{Programs.SoftDevice}}",
          "limits": {{Limits}},
          "export": {{(ShowsAreasAsFiles ? $"{{ \"path\": \"{folder}/{DaemonProcess.AreasName}\" }}" : "null")}},
          "devices": [ {{string.Join(", ", HasSoftDevice ? [SoftDevice, .. MoreDevices] : MoreDevices)}} ]
        }
        """;

    private string SoftDevice => $$"""
        {
          "kind": "soft", "name": "{{Device}}", "networks": ["{{Network}}"], "functions": {{Functions}}, "core": {{(Core is { } core ? $"{core}" : "null")}},
          "idle": "{{Idle}}", "uplink": {{(Uplink is null ? "null" : $"\"{Uplink}\"")}}, "rateBitsPerSecond": {{(RateBitsPerSecond is { } rate ? $"{rate}" : "null")}},
          "blocks": {{(BlockFile is null ? "null" : $"{{ \"file\": \"{BlockFile}\", \"blockSize\": {BlockSize}, \"functions\": {BlockFunctions} }}")}}
        }
        """;
}
