using System.Text.Json.Serialization;
using Arrakis.Wire;

namespace Arrakis.ControlPlane.Hosting;

/// <summary>The daemon's configuration (docs/operations.md).</summary>
internal sealed record DaemonOptions
{
    /// <summary>The control socket.</summary>
    public SocketOptions Socket { get; set; } = new();

    /// <summary>Folder of device and keeper sockets.</summary>
    public string RuntimeDirectory { get; set; } = "/run/arrakis";

    /// <summary>Folder of what must outlive the machine's restart: the catalogues of storage areas.</summary>
    public string StateDirectory { get; set; } = "/var/lib/arrakis";

    /// <summary>The policy.</summary>
    public string PolicyFile { get; set; } = "/etc/arrakis/policy.json";

    /// <summary>Who keeps descriptors while the daemon is down.</summary>
    public KeeperKind Keeper { get; set; } = KeeperKind.Auto;

    /// <summary>What becomes of bindings when the daemon is told to stop.</summary>
    public StopBehaviour OnStop { get; set; } = StopBehaviour.Release;

    /// <summary>The software device's program; null looks beside the daemon's own.</summary>
    public string? SoftDevicePath { get; set; }

    /// <summary>Bounds on connections.</summary>
    public LimitOptions Limits { get; set; } = new();

    /// <summary>Storage areas as files; null shows none.</summary>
    public ExportOptions? Export { get; set; }

    /// <summary>The devices.</summary>
    public IReadOnlyList<DeviceOptions> Devices { get; set; } = [];

    /// <summary>The least important log level that is written.</summary>
    public Microsoft.Extensions.Logging.LogLevel LogLevel { get; set; } = Microsoft.Extensions.Logging.LogLevel.Information;
}

/// <summary>The control socket's place.</summary>
internal sealed record SocketOptions
{
    /// <summary>Its path; under socket activation systemd's own is used.</summary>
    public string Path { get; set; } = Contract.Control.ControlProtocol.DefaultSocketPath;

    /// <summary>Permission bits in octal.</summary>
    public string Mode { get; set; } = "0660";
}

/// <summary>Who keeps descriptors while the daemon is down.</summary>
internal enum KeeperKind
{
    /// <summary>systemd where it started the daemon with room for descriptors, else a process.</summary>
    Auto,

    /// <summary>systemd's file descriptor store.</summary>
    Systemd,

    /// <summary>A process of our own.</summary>
    Process,

    /// <summary>Nobody: bindings end with the daemon.</summary>
    None,
}

/// <summary>What becomes of bindings and devices when the daemon is told to stop.</summary>
internal enum StopBehaviour
{
    /// <summary>They end.</summary>
    Release,

    /// <summary>They go on, for the next daemon to adopt.</summary>
    Keep,
}

/// <summary>Bounds on connections.</summary>
internal sealed record LimitOptions
{
    /// <summary>Connections that have said hello.</summary>
    public int Connections { get; set; } = 1024;

    /// <summary>Of these, of one user.</summary>
    public int ConnectionsPerUser { get; set; } = 256;

    /// <summary>Connections that have not said hello yet.</summary>
    public int SilentConnections { get; set; } = 1024;

    /// <summary>Of these, of one user; past it the oldest is closed.</summary>
    public int SilentConnectionsPerUser { get; set; } = 256;

    /// <summary>How long a connection may be silent before its hello.</summary>
    public double HelloTimeoutSeconds { get; set; } = 5;

    /// <summary>Requests under way at once on a connection; past it no more are read.</summary>
    public int RequestsInFlight { get; set; } = 16;
}

/// <summary>A device.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(SoftDeviceOptions), "soft")]
[JsonDerivedType(typeof(VhostUserDeviceOptions), "vhost-user")]
[JsonDerivedType(typeof(SriovDeviceOptions), "sriov")]
[JsonDerivedType(typeof(PciDeviceOptions), "pci")]
[JsonDerivedType(typeof(VhostUserBlockDeviceOptions), "vhost-user-block")]
[JsonDerivedType(typeof(NvmeDeviceOptions), "nvme")]
internal abstract record DeviceOptions
{
    /// <summary>Its name in requests and in the policy.</summary>
    public required string Name { get; init; }

    /// <summary>The largest ring.</summary>
    public int QueueSizeMax { get; set; } = Wire.Rings.RingLayout.MaxQueueSize;

    /// <summary>The most queue pairs, or block queues, of a binding.</summary>
    public int QueuePairsMax { get; set; } = Contract.Control.ControlProtocol.MaxQueuePairs;
}

/// <summary>A NIC.</summary>
internal abstract record NicDeviceOptions : DeviceOptions
{
    /// <summary>Networks that its functions may have addresses of.</summary>
    public IReadOnlyList<Ipv4Prefix> Networks { get; set; } = [];

    /// <summary>Where frames for other networks go.</summary>
    public Ipv4Address? Gateway { get; set; }

    /// <summary>Largest IP packet in bytes.</summary>
    public int Mtu { get; set; } = 1500;

    /// <summary>What all functions together may send; null is no limit.</summary>
    public long? RateBitsPerSecond { get; set; }
}

/// <summary>Our own software device, which the daemon runs.</summary>
internal sealed record SoftDeviceOptions : NicDeviceOptions
{
    /// <summary>Virtual functions.</summary>
    public int Functions { get; set; } = 8;

    /// <summary>The core that its polling thread is pinned to; null pins to none.</summary>
    public int? Core { get; set; }

    /// <summary>"spin", or "adaptive" that sleeps when nothing comes.</summary>
    public string Idle { get; set; } = "adaptive";

    /// <summary>Name of the kernel's interface on the uplink; null has no uplink.</summary>
    public string? Uplink { get; set; }

    /// <summary>Its block functions; null has none.</summary>
    public SoftBlockOptions? Blocks { get; set; }
}

/// <summary>A vhost-user back end that someone else runs and that listens on sockets, such as DPDK's net_vhost or Open vSwitch.</summary>
internal sealed record VhostUserDeviceOptions : NicDeviceOptions
{
    /// <summary>A socket for each virtual function.</summary>
    public required IReadOnlyList<string> Sockets { get; init; }
}
