using System.Text.Json;

namespace Arrakis.UdpLatency.Tests;

/// <summary>Runs what <c>make bench-storage</c> runs.</summary>
public sealed class BenchStorageTests
{
    private const string Program = "Arrakis.StorageLatency";
    private const int Terminate = 15;

    [Theory]
    [InlineData("disk")]
    [InlineData("memory")]
    public async Task A_short_run_has_every_party_and_leaves_the_machine_as_it_was(string backing)
    {
        string folder = Directory.CreateTempSubdirectory("arrakis-bench-storage-").FullName;
        try
        {
            string file = Path.Combine(folder, "result.json");
            using DemoRun run = DemoRun.StartProgram(Program, "--quick", "--backing", backing, "--work", "Append", "--output", file);
            (int code, string output) = await run.EndAsync();

            Assert.True(code == 0, output);
            using JsonDocument rows = JsonDocument.Parse(await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken));
            Assert.Equal(
                [
                    "arrakis 1", "arrakis 128", "arrakis 32", "fio-io_uring 1", "fio-io_uring 128", "fio-io_uring 32",
                    "o-dsync 1", "random-access 1", "random-access 128", "random-access 32",
                ],
                rows.RootElement.EnumerateArray().Select(row => $"{row.GetProperty("api")} {row.GetProperty("depth")}").Order(StringComparer.Ordinal));
            Assert.All(rows.RootElement.EnumerateArray(), row =>
            {
                Assert.Equal((backing, "append-1k"), (row.GetProperty("backing").GetString(), row.GetProperty("work").GetString()));
                Assert.All((string[])["iops", "p50_us", "p99_us", "cpu_us_per_io"], figure => Assert.True(row.GetProperty(figure).GetDouble() > 0, $"{figure} in {row}"));
            });
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task After_a_signal_nothing_is_left()
    {
        using DemoRun run = DemoRun.StartProgram(Program, "--rounds", "50", "--output", "/dev/null");
        await Task.Delay(TimeSpan.FromSeconds(3), TestContext.Current.CancellationToken);
        run.Signal(Terminate);

        Assert.Equal(128 + Terminate, (await run.EndAsync()).ExitCode);
    }
}
