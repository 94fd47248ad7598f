namespace Arrakis.UdpLatency.Gc;

/// <summary>What of the benchmark of the collector is measured.</summary>
/// <param name="Apis">By which interfaces the server serves.</param>
/// <param name="Setups">How its runtime is set up.</param>
/// <param name="Runs">How often each row is measured.</param>
internal sealed record GcPlan(IReadOnlyList<string> Apis, IReadOnlyList<GcSetup> Setups, int Runs);
