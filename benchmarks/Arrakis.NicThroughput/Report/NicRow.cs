using System.Text.Json.Serialization;
using Arrakis.Measuring.Report;
using Arrakis.Wire.Rings;

namespace Arrakis.NicThroughput.Report;

/// <summary>One row of the result: medians over the pairs, with the smallest and the largest value.</summary>
internal sealed record NicRow
{
    /// <summary>receive, transmit or forward.</summary>
    public required string Mode { get; init; }

    /// <summary>split or packed.</summary>
    public required string Ring { get; init; }

    /// <summary>Million frames a second through our ring engine.</summary>
    public required double ArrakisMpps { get; init; }

    /// <summary>Million frames a second through DPDK's driver.</summary>
    public required double DpdkMpps { get; init; }

    /// <summary>The median of the pairs' ratios, ours by DPDK's.</summary>
    public required double Ratio { get; init; }

    /// <summary>Busy time stamp counter cycles a frame, ours.</summary>
    public required double ArrakisCycles { get; init; }

    /// <summary>The same of DPDK's.</summary>
    public required double DpdkCycles { get; init; }

    /// <summary>The median of the pairs' ratios of cycles, ours by DPDK's.</summary>
    public required double CyclesRatio { get; init; }

    /// <summary>Smallest and largest of each.</summary>
    public required IReadOnlyDictionary<string, Spread> Spread { get; init; }

    /// <summary>Pairs: a run of each while the machine was in the same state.</summary>
    public required int Pairs { get; init; }

    /// <summary>Runs of both; those that have no partner in the same state count for nothing.</summary>
    public required int Runs { get; init; }

    /// <summary>The state of the pairs: nanoseconds that a cache line took from one core to the other and back.</summary>
    public required double CacheLineNs { get; init; }

    /// <summary>A ring format's name in the file.</summary>
    public static string NameOf(RingFormat ring) => ring == RingFormat.Packed ? "packed" : "split";
}

/// <summary>The result file's JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(IReadOnlyList<NicRow>))]
[JsonSerializable(typeof(IReadOnlyList<SweepRow>))]
internal sealed partial class NicJson : JsonSerializerContext;
