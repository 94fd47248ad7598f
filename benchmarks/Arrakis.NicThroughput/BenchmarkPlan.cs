using Arrakis.NicThroughput.FrontEnds;
using Arrakis.Wire.Virtio;

namespace Arrakis.NicThroughput;

/// <summary>What is measured, and for how long.</summary>
internal sealed record BenchmarkPlan
{
    public required int Pairs { get; init; }

    public required TimeSpan Warmup { get; init; }

    public required TimeSpan Duration { get; init; }

    public required int BackEndCore { get; init; }

    public required int FrontEndCore { get; init; }

    public IReadOnlyList<Mode> Modes { get; init; } = [Mode.Receive, Mode.Transmit, Mode.Forward];

    public IReadOnlyList<VirtqueueFormat> Rings { get; init; } = [VirtqueueFormat.Split, VirtqueueFormat.Packed];
}
