namespace Arrakis.UdpLatency.Gc;

/// <summary>How the runtime of an echo server is set up, and what its other threads do meanwhile.</summary>
/// <param name="Name">What the rows call it.</param>
/// <param name="Noise">What the other threads do.</param>
/// <param name="Mode">What the server's own code asks of the collector.</param>
/// <param name="Environment">Variables of its environment.</param>
internal sealed record GcSetup(string Name, NoiseKind Noise, CollectorMode Mode, IReadOnlyDictionary<string, string> Environment)
{
    /// <summary>All that are compared. The first two are controls: what the cores' sharing costs without a collection.</summary>
    public static IReadOnlyList<GcSetup> All { get; } =
    [
        Of("quiet", NoiseKind.None, CollectorMode.AsConfigured, Workstation(concurrent: false)),
        Of("busy, no allocation", NoiseKind.Write, CollectorMode.AsConfigured, Workstation(concurrent: false)),
        Of("workstation, concurrent", NoiseKind.Allocate, CollectorMode.AsConfigured, Workstation(concurrent: true)),
        Of("workstation, not concurrent", NoiseKind.Allocate, CollectorMode.AsConfigured, Workstation(concurrent: false)),
        Of("server", NoiseKind.Allocate, CollectorMode.AsConfigured, [("DOTNET_gcServer", "1"), ("DOTNET_gcConcurrent", "0")]),
        Of("GCConserveMemory=9", NoiseKind.Allocate, CollectorMode.AsConfigured, [.. Workstation(concurrent: false), ("DOTNET_GCConserveMemory", "9")]),
        Of("generation 0 of 256 MiB", NoiseKind.Allocate, CollectorMode.AsConfigured, [.. Workstation(concurrent: false), ("DOTNET_GCgen0size", "10000000")]),
        Of("SustainedLowLatency", NoiseKind.Allocate, CollectorMode.SustainedLowLatency, Workstation(concurrent: true)),
        Of("no-GC regions", NoiseKind.Allocate, CollectorMode.NoGcRegions, Workstation(concurrent: false)),
    ];

    private static GcSetup Of(string name, NoiseKind noise, CollectorMode mode, IReadOnlyList<(string Name, string Value)> environment) =>
        new(name, noise, mode, environment.ToDictionary(static variable => variable.Name, static variable => variable.Value));

    private static (string Name, string Value)[] Workstation(bool concurrent) => [("DOTNET_gcServer", "0"), ("DOTNET_gcConcurrent", concurrent ? "1" : "0")];
}

/// <summary>What the other threads of an echo server do.</summary>
internal enum NoiseKind
{
    /// <summary>There are none.</summary>
    None,

    /// <summary>They write as much memory as the allocating ones, always the same.</summary>
    Write,

    /// <summary>They allocate.</summary>
    Allocate,
}

/// <summary>What a server's own code asks of the collector.</summary>
internal enum CollectorMode
{
    AsConfigured,

    /// <summary><see cref="System.Runtime.GCLatencyMode.SustainedLowLatency"/>.</summary>
    SustainedLowLatency,

    /// <summary>One region without collections after the other, each as large as it may be.</summary>
    NoGcRegions,
}
