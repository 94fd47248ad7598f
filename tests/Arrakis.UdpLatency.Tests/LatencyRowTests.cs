using System.Text.Json;
using Arrakis.UdpLatency.Report;

namespace Arrakis.UdpLatency.Tests;

public sealed class LatencyRowTests
{
    private static readonly Measurement s_measured = new(1_000, 0, 0, 0.5, 1_234, 2_500, 10_000, 2.00004);

    [Fact]
    public void Figures_are_in_microseconds_and_per_second()
    {
        LatencyRow row = LatencyRow.From(Paths.Arrakis, Apis.Native, 64, s_measured);

        Assert.Equal(new LatencyRow("arrakis", "native", 64, 1.234, 2.5, 10, 2_000, 2), row);
    }

    [Fact]
    public void A_corrupt_reply_makes_no_row() =>
        Assert.Throws<InvalidDataException>(() => LatencyRow.From(Paths.Arrakis, Apis.Native, 1, s_measured with { Corrupt = 1 }));

    [Fact]
    public void A_run_without_replies_makes_no_row() =>
        Assert.Throws<InvalidDataException>(() => LatencyRow.From(Paths.Arrakis, Apis.Native, 1, s_measured with { Received = 0 }));

    [Fact]
    public void The_demo_file_is_an_array_of_rows_with_exactly_the_documented_names()
    {
        string file = Path.Combine(Path.GetTempPath(), $"arrakis-report-{Guid.NewGuid():N}", "demo.json");
        try
        {
            IReadOnlyList<LatencyRow> rows = [LatencyRow.From(Paths.Arrakis, Apis.Native, 1, s_measured)];
            ReportJson.Write(file, rows);

            using JsonDocument written = JsonDocument.Parse(File.ReadAllText(file));
            JsonElement row = Assert.Single(written.RootElement.EnumerateArray());
            Assert.Equal(
                ["path", "api", "in_flight", "p50_us", "p99_us", "p999_us", "rps", "syscalls_per_request"],
                row.EnumerateObject().Select(member => member.Name));
            Assert.Equal([file], Directory.GetFiles(Path.GetDirectoryName(file)!));
        }
        finally
        {
            Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
        }
    }

    [Fact]
    public void The_benchmark_file_has_the_demo_rows_names_and_its_own()
    {
        string file = Path.Combine(Path.GetTempPath(), $"arrakis-report-{Guid.NewGuid():N}", "bench-udp.json");
        try
        {
            ReportJson.Write(file, PairSummary.Summarize([[LatencyRow.From(Paths.Arrakis, Apis.Native, 1, s_measured)]]));

            using JsonDocument written = JsonDocument.Parse(File.ReadAllText(file));
            IEnumerable<string> names = written.RootElement[0].EnumerateObject().Select(member => member.Name);
            Assert.Equal(
                ["path", "api", "in_flight", "p50_us", "p99_us", "p999_us", "rps", "syscalls_per_request", "pairs"],
                names.Take(9));
        }
        finally
        {
            Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
        }
    }
}
