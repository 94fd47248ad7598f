using Arrakis.UdpEchoServer;

namespace Arrakis.UdpLatency.Gc;

/// <summary>How the runtime of an echo server is set up, and what its other threads do meanwhile.</summary>
/// <param name="Name">What the rows call it.</param>
/// <param name="Noise">What the other threads do.</param>
/// <param name="Mode">What the server's own code asks of the collector.</param>
/// <param name="Environment">Variables of its environment.</param>
internal sealed record GcSetup(string Name, NoiseKind Noise, CollectorMode Mode, IReadOnlyDictionary<string, string> Environment)
{
    /// <summary>Whether the server is the one that was published with NativeAOT.</summary>
    public bool IsNativeAot { get; init; }

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
        Of("NativeAOT", NoiseKind.Allocate, CollectorMode.AsConfigured, Workstation(concurrent: false)) with { IsNativeAot = true },
    ];

    private static GcSetup Of(string name, NoiseKind noise, CollectorMode mode, IReadOnlyList<(string Name, string Value)> environment) =>
        new(name, noise, mode, environment.ToDictionary(static variable => variable.Name, static variable => variable.Value));

    private static (string Name, string Value)[] Workstation(bool concurrent) => [("DOTNET_gcServer", "0"), ("DOTNET_gcConcurrent", concurrent ? "1" : "0")];
}
