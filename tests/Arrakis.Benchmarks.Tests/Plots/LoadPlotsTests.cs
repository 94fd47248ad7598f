namespace Arrakis.Benchmarks.Tests.Plots;

public sealed class LoadPlotsTests : IDisposable
{
    private const string Report = """
        {
          "target": "10.97.0.10:7", "payloadLength": 32,
          "loads": [
            { "loadPercent": 10, "offeredRps": 100000, "p50Us": 1, "p99Us": 2, "p999Us": 4, "p9999Us": 40, "maxUs": 400,
              "distribution": [{ "percentile": 0, "us": 0.5 }, { "percentile": 90, "us": 1.5 }, { "percentile": 99.9, "us": 4 }, { "percentile": 100, "us": 400 }] },
            { "loadPercent": null, "offeredRps": 500000, "p50Us": 2, "p99Us": 8, "p999Us": 16, "p9999Us": 160, "maxUs": 0,
              "distribution": [{ "percentile": 50, "us": 2 }, { "percentile": 99, "us": 8 }] }
          ]
        }
        """;

    private readonly PlotsProgram _program = new();

    public void Dispose() => _program.Dispose();

    [Fact]
    public void A_report_of_arrakisctl_bench_becomes_two_pictures_with_their_axes_named()
    {
        (int exitCode, _, string errors) = Draw(Report);

        Assert.True(exitCode == 0, errors);
        string[] latency = _program.TextsOf("latency.svg");
        Assert.All((string[])["UDP echo at 10.97.0.10:7, 32 bytes", "offered load, requests/s", "round trip, µs", "p50", "p99.99", "max"], text => Assert.Contains(text, latency));
        string[] distribution = _program.TextsOf("distribution.svg");
        Assert.All((string[])["percentile", "round trip, µs", "10 %", "500000/s", "99.9"], text => Assert.Contains(text, distribution));
    }

    [Theory]
    [InlineData("", "is not what arrakisctl bench --output writes")]
    [InlineData("[]", "is not what arrakisctl bench --output writes")]
    [InlineData("null", "is empty")]
    [InlineData("{\"target\":\"x\",\"payloadLength\":32}", "is not what arrakisctl bench --output writes")]
    [InlineData("{\"target\":\"x\",\"payloadLength\":32,\"loads\":[]}", "has no load")]
    [InlineData("{\"target\":\"x\",\"payloadLength\":32,\"loads\":[null]}", "has no load")]
    [InlineData("{\"target\":\"x\",\"payloadLength\":\"many\",\"loads\":[]}", "is not what arrakisctl bench --output writes")]
    public void Something_else_is_refused_in_a_sentence(string text, string expected)
    {
        (int exitCode, _, string errors) = Draw(text);

        Assert.Equal(1, exitCode);
        Assert.Contains(expected, errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
        Assert.False(File.Exists(_program.File("latency.svg")));
    }

    [Fact]
    public void A_report_that_is_not_there_is_named()
    {
        (int exitCode, _, string errors) = PlotsProgram.Run("load", _program.File("missing.json"), "--latency", _program.File("latency.svg"));

        Assert.Equal(1, exitCode);
        Assert.Contains("missing.json cannot be read", errors, StringComparison.Ordinal);
        Assert.Contains("arrakisctl bench --output writes it", errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_picture_to_draw_it_asks_for_one() =>
        Assert.Contains("--latency FILE.svg", PlotsProgram.Run("load", _program.Write("report.json", Report)).Errors, StringComparison.Ordinal);

    private (int ExitCode, string Output, string Errors) Draw(string text) =>
        PlotsProgram.Run("load", _program.Write("report.json", text), "--latency", _program.File("latency.svg"), "--distribution", _program.File("distribution.svg"));
}
