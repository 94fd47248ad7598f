using System.Text.Json;
using Arrakis.NvmeCost;
using Arrakis.NvmeCost.Report;

namespace Arrakis.Benchmarks.Tests.NvmeCost;

public sealed class NvmeBenchmarkTests
{
    [Fact]
    public void Both_drivers_complete_all_requests_of_all_works()
    {
        List<string> notes = [];
        IReadOnlyList<NvmeRow> rows = new NvmeBenchmark(pairs: 3, batches: 50, depth: 32).Run(notes.Add);
        Assert.Equal(NvmeBenchmark.Works.Select(static work => work.Name), rows.Select(static row => row.Work));
        Assert.All(rows, static row =>
        {
            Assert.Equal((32, 3), (row.Depth, row.Pairs));
            Assert.True(row.ArrakisCycles > 0 && row.CCycles > 0 && row.Ratio > 0);
        });
        Assert.Equal(rows.Count, notes.Count);
    }

    [Fact]
    public void A_row_is_the_median_of_its_pairs_with_their_spread()
    {
        NvmeRow row = NvmeRow.Of("read-4k", 32, 2, [(20, 10), (30, 10), (60, 40)]);
        Assert.Equal((15, 5, 30, 10, 2), (row.ArrakisNs, row.CNs, row.ArrakisCycles, row.CCycles, row.Ratio));
        Assert.Equal((10, 30), (row.Spread["arrakis_ns"].Min, row.Spread["arrakis_ns"].Max));
        Assert.Equal((1.5, 3), (row.Spread["ratio"].Min, row.Spread["ratio"].Max));
    }

    [Fact]
    public void The_file_has_the_members_of_the_documentation()
    {
        IReadOnlyList<NvmeRow> rows = [NvmeRow.Of("read-4k", 32, 2, [(20, 10)])];
        using var json = JsonDocument.Parse(JsonSerializer.Serialize(rows, NvmeJson.Default.IReadOnlyListNvmeRow));
        Assert.Equal(
            ["work", "depth", "arrakis_ns", "c_ns", "arrakis_cycles", "c_cycles", "ratio", "spread", "pairs"],
            json.RootElement[0].EnumerateObject().Select(static member => member.Name));
    }
}
