using System.Text.Json;

namespace Arrakis.UdpLatency.Tests;

/// <summary>Runs what <c>make bench-nic</c> runs.</summary>
public sealed class BenchNicTests
{
    private const string Program = "Arrakis.NicThroughput";
    private const int Terminate = 15;

    [Fact]
    public async Task A_short_run_writes_a_row_and_leaves_the_machine_as_it_was()
    {
        string folder = Directory.CreateTempSubdirectory("arrakis-bench-nic-").FullName;
        try
        {
            string file = Path.Combine(folder, "result.json");
            using DemoRun run = DemoRun.StartProgram(Program, "--quick", "--ring", "Packed", "--mode", "Forward", "--output", file);
            (int code, string output) = await run.EndAsync();

            Assert.True(code == 0, output);
            using JsonDocument rows = JsonDocument.Parse(await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken));
            JsonElement row = Assert.Single(rows.RootElement.EnumerateArray());
            Assert.Equal(("packed", "forward"), (row.GetProperty("ring").GetString(), row.GetProperty("mode").GetString()));
            foreach (string figure in (string[])["arrakis_mpps", "dpdk_mpps", "ratio", "arrakis_cycles", "dpdk_cycles", "cache_line_ns"])
            {
                Assert.True(row.GetProperty(figure).GetDouble() > 0, $"{figure} in {row}");
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_core_that_is_not_there_is_named()
    {
        using DemoRun run = DemoRun.StartProgram(Program, "--quick", "--front-end-core", "4095");
        (int code, string output) = await run.EndAsync();

        Assert.Equal(2, code);
        Assert.Contains("Core 4095", output, StringComparison.Ordinal);
        Assert.Contains("--front-end-core", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task After_a_signal_nothing_is_left()
    {
        using DemoRun run = DemoRun.StartProgram(Program, "--pairs", "50", "--mode", "Receive", "--output", "/dev/null");
        await Task.Delay(TimeSpan.FromSeconds(3), TestContext.Current.CancellationToken);
        run.Signal(Terminate);

        Assert.Equal(128 + Terminate, (await run.EndAsync()).ExitCode);
    }
}
