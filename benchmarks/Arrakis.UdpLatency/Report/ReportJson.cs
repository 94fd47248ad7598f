using System.Text.Json.Serialization;
using Arrakis.UdpLatency.Gc;
using Arrakis.UdpLatency.Soak;

namespace Arrakis.UdpLatency.Report;

/// <summary>JSON of the result files.</summary>
[JsonSourceGenerationOptions(WriteIndented = true)]
[JsonSerializable(typeof(IReadOnlyList<LatencyRow>))]
[JsonSerializable(typeof(IReadOnlyList<BenchmarkRow>))]
[JsonSerializable(typeof(SoakReport))]
[JsonSerializable(typeof(IReadOnlyList<GcRow>))]
internal sealed partial class ReportJson : JsonSerializerContext;
