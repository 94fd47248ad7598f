using System.Text.Json;

namespace Arrakis.UdpLatency.Tests;

public sealed class DemoTests : IDisposable
{
    private const int Interrupt = 2;
    private const int Terminate = 15;

    private readonly string _folder = Directory.CreateTempSubdirectory("arrakis-demo-").FullName;

    private string Output => Path.Combine(_folder, "result.json");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_demo_writes_every_row_and_leaves_the_machine_as_it_was()
    {
        using DemoRun run = DemoRun.Start("demo", "--quick", "--output", Output);

        (int exitCode, string text) = await run.EndAsync();

        Assert.True(exitCode == 0, text);
        JsonElement[] rows = [.. JsonDocument.Parse(await File.ReadAllTextAsync(Output, TestContext.Current.CancellationToken)).RootElement.EnumerateArray()];
        Assert.Equal(
            [
                "arrakis native 1", "arrakis native 64", "arrakis udp-socket 1", "arrakis udp-socket 64",
                "kernel-veth-blocking sockets-blocking 1", "kernel-veth-blocking sockets-blocking 64",
                "kernel-veth-busy-poll sockets-busy-poll 1", "kernel-veth-busy-poll sockets-busy-poll 64",
            ],
            rows.Select(row => $"{row.GetProperty("path")} {row.GetProperty("api")} {row.GetProperty("in_flight")}").Order(StringComparer.Ordinal));
        Assert.All(rows, row => Assert.True(row.GetProperty("p50_us").GetDouble() > 0 && row.GetProperty("rps").GetDouble() > 0));
        Assert.All(rows, row => Assert.Equal(8, row.EnumerateObject().Count()));
    }

    [Theory]
    [InlineData(Interrupt, 300)]
    [InlineData(Terminate, 1_100)]
    [InlineData(Interrupt, 2_500)]
    [InlineData(Interrupt, 5_000)]
    [InlineData(Terminate, 9_000)]
    public async Task A_signal_at_any_point_ends_the_demo_and_leaves_the_machine_as_it_was(int signal, int afterMilliseconds)
    {
        using DemoRun run = DemoRun.Start("demo", "--output", Output);
        await Task.Delay(afterMilliseconds, TestContext.Current.CancellationToken);

        run.Signal(signal);

        (int exitCode, string text) = await run.EndAsync();
        Assert.True(exitCode == 128 + signal, text);
        Assert.False(File.Exists(Output));
    }

    [Fact]
    public async Task The_benchmark_writes_medians_and_ratios_of_its_pairs()
    {
        using DemoRun run = DemoRun.Start("bench", "--quick", "--pairs", "2", "--output", Output);

        (int exitCode, string text) = await run.EndAsync();

        Assert.True(exitCode == 0, text);
        JsonElement[] rows = [.. JsonDocument.Parse(await File.ReadAllTextAsync(Output, TestContext.Current.CancellationToken)).RootElement.EnumerateArray()];
        Assert.Equal(17, rows.Length);

        Assert.All(rows, row => Assert.Equal(2, row.GetProperty("pairs").GetInt32()));

        // Of arrakis' rows those in which the cores were as far apart.
        Assert.All(rows, row => Assert.InRange(row.GetProperty("summed_up").GetInt32(), row.GetProperty("path").GetString() == "arrakis" ? 1 : 2, 2));
        Assert.All(
            rows.Where(row => row.GetProperty("path").GetString() == "arrakis" && row.GetProperty("load_percent").ValueKind == JsonValueKind.Null),
            row => Assert.True(row.GetProperty("p50_times_faster_than_blocking").GetDouble() > 0));
        Assert.All(rows, row => Assert.Contains(50.0, row.GetProperty("distribution").EnumerateArray().Select(point => point.GetProperty("percentile").GetDouble())));
        JsonElement[] tail = [.. rows.Where(row => row.GetProperty("load_percent").ValueKind == JsonValueKind.Number)];
        Assert.Equal(
            ["dpdk-5tswap 10", "dpdk-5tswap 50", "dpdk-5tswap 80", "native 10", "native 50", "native 80"],
            tail.Select(row => $"{row.GetProperty("api")} {row.GetProperty("load_percent")}").Order(StringComparer.Ordinal));
        Assert.All(tail.Where(row => row.GetProperty("api").GetString() == "native"), row => Assert.True(row.GetProperty("p99_over_dpdk").GetDouble() > 0));
        Assert.True(Assert.Single(rows, row => row.GetProperty("api").GetString() == "native" && row.GetProperty("in_flight").GetInt32() == 64).GetProperty("rps_over_recvmmsg").GetDouble() > 0);
    }

    [Fact]
    public async Task The_benchmark_of_the_collector_sees_collections_where_others_allocate()
    {
        using DemoRun run = DemoRun.Start("gc", "--quick", "--runs", "1", "--api", "native", "--setup", "quiet", "--setup", "workstation, concurrent", "--setup", "NativeAOT", "--output", Output);

        (int exitCode, string text) = await run.EndAsync();

        Assert.True(exitCode == 0, text);
        Assert.Contains("The row of NativeAOT is left out", text, StringComparison.Ordinal);
        JsonElement[] rows = [.. JsonDocument.Parse(await File.ReadAllTextAsync(Output, TestContext.Current.CancellationToken)).RootElement.EnumerateArray()];
        Assert.Equal(
            ["quiet, 1 in flight", "quiet, open loop at 50 %", "workstation, concurrent, 1 in flight", "workstation, concurrent, open loop at 50 %"],
            rows.Select(static row => $"{row.GetProperty("setup")}, {row.GetProperty("load")}"));
        Assert.All(rows.Take(2), static row => Assert.InRange(row.GetProperty("allocated_mb_per_second").GetDouble(), 0, 1));
        Assert.All(rows.Skip(2), static row => Assert.InRange(row.GetProperty("allocated_mb_per_second").GetDouble(), 1, 1000));
        Assert.True(rows.Skip(2).Sum(static row => row.GetProperty("collections_per_second").GetDouble()) > 0, text);
        Assert.All(rows, static row => Assert.StartsWith("workstation, ", row.GetProperty("collector").GetString(), StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_setup_that_there_is_not_is_refused_with_those_that_there_are()
    {
        using DemoRun run = DemoRun.Start("gc", "--setup", "no such thing");

        (int exitCode, string text) = await run.EndAsync();

        Assert.Equal(1, exitCode);
        Assert.Contains("SustainedLowLatency", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_soak_adds_up_and_leaves_the_machine_as_it_was()
    {
        using DemoRun run = DemoRun.Start("soak", "--seconds", "6", "--output", Output);

        (int exitCode, string text) = await run.EndAsync();

        Assert.True(exitCode == 0, text);
        JsonElement report = JsonDocument.Parse(await File.ReadAllTextAsync(Output, TestContext.Current.CancellationToken)).RootElement;
        Assert.Equal(report.GetProperty("sent").GetInt64(), report.GetProperty("received").GetInt64() + report.GetProperty("lost").GetInt64());
        Assert.True(report.GetProperty("neighbours_bound").GetInt64() > 0);
        Assert.Equal(["daemon", "device", "server", "server's managed heap"], report.GetProperty("memory").EnumerateArray().Select(memory => memory.GetProperty("of").GetString()));
    }

    [Fact]
    public async Task A_wrong_option_is_refused_before_anything_is_made()
    {
        using DemoRun run = DemoRun.Start("demo", "--payload", "3");

        (int exitCode, string text) = await run.EndAsync();

        Assert.Equal(1, exitCode);
        Assert.Contains("--payload must be 16 to 1472.", text, StringComparison.Ordinal);
    }
}
