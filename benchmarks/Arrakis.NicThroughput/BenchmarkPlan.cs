using Arrakis.NicThroughput.FrontEnds;
using Arrakis.Wire.Rings;

namespace Arrakis.NicThroughput;

/// <summary>What is measured, and for how long.</summary>
internal sealed record BenchmarkPlan
{
    /// <summary>Pairs of runs in the same state of the machine that each row is to have.</summary>
    public required int Pairs { get; init; }

    /// <summary>Runs of each party after which a row is as it is: the machine may never stay in one state for long enough.</summary>
    public required int MaxRuns { get; init; }

    public required TimeSpan Warmup { get; init; }

    public required TimeSpan Duration { get; init; }

    public required int BackEndCore { get; init; }

    public required int FrontEndCore { get; init; }

    /// <summary>Frames that are handled at once.</summary>
    public int BatchLength { get; init; } = 32;

    /// <summary>Bytes of a frame.</summary>
    public int FrameLength { get; init; } = 64;

    public IReadOnlyList<Mode> Modes { get; init; } = [Mode.Receive, Mode.Transmit, Mode.Forward];

    public IReadOnlyList<RingFormat> Rings { get; init; } = [RingFormat.Split, RingFormat.Packed];
}
