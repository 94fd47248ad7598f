using System.Text.Json;
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
internal sealed partial class ReportJson : JsonSerializerContext
{
    /// <summary>Writes the rows as a file's whole content; a reader sees the old file or the new one, never a part.</summary>
    public static void Write(string path, IReadOnlyList<LatencyRow> rows) => Replace(path, JsonSerializer.Serialize(rows, Default.IReadOnlyListLatencyRow));

    /// <inheritdoc cref="Write(string, IReadOnlyList{LatencyRow})"/>
    public static void Write(string path, IReadOnlyList<BenchmarkRow> rows) => Replace(path, JsonSerializer.Serialize(rows, Default.IReadOnlyListBenchmarkRow));

    /// <inheritdoc cref="Write(string, IReadOnlyList{LatencyRow})"/>
    public static void Write(string path, SoakReport report) => Replace(path, JsonSerializer.Serialize(report, Default.SoakReport));

    /// <inheritdoc cref="Write(string, IReadOnlyList{LatencyRow})"/>
    public static void Write(string path, IReadOnlyList<GcRow> rows) => Replace(path, JsonSerializer.Serialize(rows, Default.IReadOnlyListGcRow));

    private static void Replace(string path, string json)
    {
        _ = Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        string temporary = $"{path}.{Environment.ProcessId}";
        File.WriteAllText(temporary, json + "\n");
        File.Move(temporary, path, overwrite: true);
    }
}
