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
        IReadOnlyList<LatencyRow> rows = [LatencyRow.From(Paths.Arrakis, Apis.Native, 1, s_measured)];

        Assert.Equal(
            [["path", "api", "in_flight", "p50_us", "p99_us", "p999_us", "rps", "syscalls_per_request"]],
            NamesOf(JsonSerializer.Serialize(rows, ReportJson.Default.IReadOnlyListLatencyRow)));
    }

    [Fact]
    public void The_benchmark_file_has_the_demo_rows_names_and_its_own()
    {
        IReadOnlyList<BenchmarkRow> rows = PairSummary.Summarize([[LatencyRow.From(Paths.Arrakis, Apis.Native, 1, s_measured)]]);

        string[] names = Assert.Single(NamesOf(JsonSerializer.Serialize(rows, ReportJson.Default.IReadOnlyListBenchmarkRow)));
        Assert.Equal(["path", "api", "in_flight", "p50_us", "p99_us", "p999_us", "rps", "syscalls_per_request", "pairs"], names.Take(9));
        Assert.Contains("distribution", names);
    }

    private static IEnumerable<string[]> NamesOf(string json) =>
        JsonDocument.Parse(json).RootElement.EnumerateArray().Select(static row => row.EnumerateObject().Select(static member => member.Name).ToArray());
}
