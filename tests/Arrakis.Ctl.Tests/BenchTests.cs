using System.Text.Json;
using Arrakis.Contract.Control;
using HdrHistogram;
using HdrHistogram.Utilities;
using TestResult = Arrakis.Contract.Control.TestResult;

namespace Arrakis.Ctl.Tests;

public sealed class BenchTests
{
    [Fact]
    public async Task Saturation_is_measured_first_and_then_each_load_is_offered()
    {
        (Run run, RunTestRequest[] tests) = await AskAsync("bench", "7", "--rates", "10%,50%,1234", "--in-flight", "32", "--duration", "3s", "--seed", "9", "--arrivals", "Fixed");

        Assert.Equal(0, run.Code);
        Assert.Equal([null, 50_000, 250_000, 1234], tests.Select(static test => test.Plan.RequestsPerSecond));
        Assert.All(tests, static test => Assert.Equal((32, 3000, 9), (test.Plan.InFlight, test.Plan.DurationMilliseconds, test.Plan.Seed)));
        Assert.All(tests[1..], static test => Assert.Equal(ArrivalSpacing.Fixed, test.Plan.Arrivals));
    }

    [Fact]
    public async Task The_table_has_a_row_for_each_load()
    {
        (Run run, _) = await AskAsync("bench", "7", "--rates", "50%");

        Assert.Equal("""
            10.7.0.2:7 is saturated at 500000 requests/s with 64 in flight.
            LOAD  OFFERED/S  ACHIEVED/S  LOST  UNSENT  DELAYED  P50       P90       P99       P99.9     P99.99     MAX
            50 %     250000      500000     1       3        2  50.02 µs  90.05 µs  99.01 µs  99.90 µs  100.03 µs  100.03 µs
            """, run.Output);
    }

    [Fact]
    public async Task Loads_in_requests_a_second_need_no_saturation()
    {
        (_, RunTestRequest[] tests) = await AskAsync("bench", "7", "--rates", "1000,2000.5");

        Assert.Equal([1000, 2000.5], tests.Select(static test => test.Plan.RequestsPerSecond));
    }

    [Fact]
    public async Task Without_loads_they_go_up_to_95_percent()
    {
        (_, RunTestRequest[] tests) = await AskAsync("bench", "7");

        Assert.Equal(11, tests.Length);
        Assert.Equal(475_000, tests[^1].Plan.RequestsPerSecond);
    }

    [Fact]
    public async Task The_report_has_the_whole_distribution_and_goes_to_a_file_too()
    {
        string file = Path.GetTempFileName();
        try
        {
            (Run run, _) = await AskAsync("bench", "7", "--rates", "50%", "--json", "--output", file);

            Assert.Equal(run.Output, (await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken)).TrimEnd());
            using var document = JsonDocument.Parse(run.Output);
            Assert.Equal(500_000, document.RootElement.GetProperty("saturationRps").GetDouble());
            JsonElement row = document.RootElement.GetProperty("loads")[0];
            Assert.Equal(50, row.GetProperty("loadPercent").GetDouble());
            Assert.Equal(3, row.GetProperty("unsent").GetInt64());
            JsonElement[] points = [.. row.GetProperty("distribution").EnumerateArray()];
            Assert.Equal(100, points[^1].GetProperty("percentile").GetDouble());
            Assert.Equal(row.GetProperty("maxUs").GetDouble(), points[^1].GetProperty("us").GetDouble());
            Assert.True(points.Length > 10);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task A_file_that_cannot_be_written_is_named()
    {
        (Run run, _) = await AskAsync("bench", "7", "--rates", "50%", "--output", "/nowhere/bench.json");

        Assert.Equal(2, run.Code);
        Assert.Contains("/nowhere/bench.json", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_soak_prints_a_line_for_each_interval_and_sums_them_up()
    {
        (Run run, RunTestRequest[] tests) = await AskAsync("bench", "7", "--soak", "1ms", "--rates", "2000");

        Assert.Equal(0, run.Code);
        Assert.NotEmpty(tests);
        Assert.Equal(Enumerable.Range(1, tests.Length), tests.Select(static test => test.Plan.Seed));
        string[] lines = run.Output.Split('\n');
        Assert.Equal(tests.Length + 2, lines.Length);
        Assert.Matches(@"^\s+[\d.]+ s\s+500000/s of 2000  lost 1  unsent 3  p50 50\.02 .* max 100\.03 µs", lines[0]);
        Assert.Matches($@"^-\s+2000\s+500000\s+{tests.Length}\s+{3 * tests.Length}", lines[^1]);
    }

    [Fact]
    public async Task A_soak_offers_half_of_saturation_unless_told_otherwise()
    {
        (_, RunTestRequest[] tests) = await AskAsync("bench", "7", "--soak", "1ms");

        Assert.Equal([null, 250_000], tests[..2].Select(static test => test.Plan.RequestsPerSecond));
    }

    [Fact]
    public async Task A_server_that_does_not_answer_ends_it_with_6()
    {
        (Run run, RunTestRequest[] tests) = await AskAsync(Result() with { Received = 0, Histogram = null }, "bench", "7");

        Assert.Equal(6, run.Code);
        _ = Assert.Single(tests);
        Assert.Contains("is an echo server on UDP port 7 of 10.7.0.2", run.Error, StringComparison.Ordinal);
    }

    private static Task<(Run Run, RunTestRequest[] Tests)> AskAsync(params string[] arguments) => AskAsync(Result(), arguments);

    private static async Task<(Run Run, RunTestRequest[] Tests)> AskAsync(TestResult result, params string[] arguments)
    {
        await using var daemon = new FakeDaemon(request => request is RunTestRequest ? new TestReply { Id = 0, Result = result } : Example.Answer(request));
        Run run = await Run.OfAsync([.. arguments, "--socket", daemon.SocketPath]);
        return (run, [.. daemon.Requests.OfType<RunTestRequest>()]);
    }

    // Round trips of 1 to 100 µs, evenly.
    private static TestResult Result()
    {
        var times = new LongHistogram(1, 60_000_000_000, 3);
        for (int i = 1; i <= 10_000; i++)
        {
            times.RecordValue(i * 10);
        }

        var buffer = ByteBuffer.Allocate(times.GetNeededByteBufferCapacity());
        byte[] encoded = new byte[times.EncodeIntoCompressedByteBuffer(buffer)];
        buffer.Position = 0;
        for (int i = 0; i < encoded.Length; i++)
        {
            encoded[i] = buffer.Get();
        }

        return Example.Test with { Delayed = 2, Unsent = 3, Histogram = Convert.ToBase64String(encoded) };
    }
}
