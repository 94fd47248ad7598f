using Arrakis.Plots.Pictures;

namespace Arrakis.Benchmarks.Tests.Plots;

public sealed class PictureBookTests : IDisposable
{
    private const string Udp = """
        [
          { "path": "kernel-veth-blocking", "api": "sockets-blocking", "in_flight": 1, "p50_us": 56, "p99_us": 87, "p999_us": 184, "p9999_us": 936, "load_percent": null },
          { "path": "kernel-veth-busy-poll", "api": "sockets-busy-poll", "in_flight": 1, "p50_us": 7, "p99_us": 9, "p999_us": 48, "p9999_us": null },
          { "path": "arrakis", "api": "native", "in_flight": 1, "p50_us": 0.44, "p99_us": 0.6, "p999_us": 1, "p9999_us": 29,
            "distribution": [{ "percentile": 50, "us": 0.44 }, { "percentile": 90, "us": 0.5 }, { "percentile": 99.99, "us": 29 }, { "percentile": 100, "us": 30 }] },
          { "path": "arrakis", "api": "udp-socket", "in_flight": 1, "p50_us": 1.2, "p99_us": 1.6, "p999_us": 3, "p9999_us": 38 },
          { "path": "arrakis", "api": "dpdk-5tswap", "in_flight": 1, "p50_us": 1.1, "p99_us": 1.7, "p999_us": 3, "p9999_us": 34 },
          { "path": "arrakis", "api": "native", "in_flight": 128, "load_percent": 50, "p50_us": 2, "p99_us": 3, "p999_us": 4, "p9999_us": 5 }
        ]
        """;

    private const string Nic = """
        [
          { "mode": "receive", "ring": "split", "arrakis_mpps": 22, "dpdk_mpps": 19.5, "ratio": 1.2, "arrakis_cycles": 61.5, "dpdk_cycles": 97.8, "cycles_ratio": 0.6,
            "spread": { "arrakis_mpps": { "min": 20, "max": 24 }, "dpdk_mpps": { "min": 14, "max": 21 } }, "pairs": 5 },
          { "mode": "forward", "ring": "packed", "arrakis_mpps": 11.2, "dpdk_mpps": 10.6, "arrakis_cycles": 117, "dpdk_cycles": 134, "pairs": 5 }
        ]
        """;

    private const string Sweep = """
        [
          { "sweep": "batch", "value": 32, "ring": "split", "mode": "receive", "arrakis_mpps": 22, "dpdk_mpps": 18 },
          { "sweep": "batch", "value": 1, "ring": "split", "mode": "receive", "arrakis_mpps": 3, "dpdk_mpps": 2 },
          { "sweep": "frame", "value": 64, "ring": "split", "mode": "forward", "arrakis_mpps": 13, "dpdk_mpps": 12 },
          { "sweep": "frame", "value": 1514, "ring": "split", "mode": "forward", "arrakis_mpps": 4, "dpdk_mpps": 4 }
        ]
        """;

    private readonly PlotsProgram _program = new();

    public void Dispose() => _program.Dispose();

    [Fact]
    public void Every_artifact_becomes_its_pictures_with_units_and_the_peer_named()
    {
        Write(Udp, Nic, Sweep);

        (int exitCode, string output, string errors) = Draw();

        Assert.True(exitCode == 0, errors);
        AssertShows("udp-one-in-flight.svg", "percentile", "round trip, µs", "Arrakis, native", "Arrakis, UdpSocket", "DPDK, testpmd 5tswap", "kernel sockets, busy-polling", "kernel sockets, blocking", "99.99");
        AssertShows("udp-half-load.svg", "Arrakis, native");
        AssertShows("nic-rate.svg", "million frames/s", "split, receive", "packed, forward", "Arrakis", "DPDK", "19.5");
        AssertShows("nic-cycles.svg", "busy cycles (TSC) a frame", "97.8");
        AssertShows("nic-batch-split.svg", "frames in a batch", "million frames/s", "DPDK, receive", "32");
        AssertShows("nic-frame-split.svg", "bytes of a frame", "Gbit/s", "Arrakis, forward", "1514");
        Assert.Contains("nic-batch-packed.svg: there is no row", output, StringComparison.Ordinal);
        Assert.False(File.Exists(_program.File("pictures/nic-batch-packed.svg")));
        Assert.Equal("", errors);
    }

    [Fact]
    public void What_has_not_been_measured_is_left_out_and_told_with_the_command_that_measures_it()
    {
        Write(udp: Udp);

        (int exitCode, string output, _) = Draw();

        Assert.Equal(0, exitCode);
        Assert.Contains("bench-nic.json is not there; make bench-nic writes it", output, StringComparison.Ordinal);
        Assert.Equal(["udp-half-load.svg", "udp-one-in-flight.svg"], Directory.GetFiles(_program.File("pictures")).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void Without_any_artifact_it_fails_and_names_all()
    {
        (int exitCode, _, string errors) = Draw();

        Assert.Equal(1, exitCode);
        Assert.Contains("bench-udp.json (make bench-udp), bench-nic.json (make bench-nic)", errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[", "is not what make bench-nic writes")]
    [InlineData("[{}]", "is not what make bench-nic writes")]
    [InlineData("[null]", "has a row that is null")]
    [InlineData("[{\"mode\":\"receive\",\"ring\":\"split\",\"arrakis_mpps\":1e999,\"dpdk_mpps\":1,\"arrakis_cycles\":1,\"dpdk_cycles\":1}]", "is not what make bench-nic writes")]
    [InlineData("[{\"mode\":\"receive\",\"ring\":\"split\",\"arrakis_mpps\":-1,\"dpdk_mpps\":1,\"arrakis_cycles\":1,\"dpdk_cycles\":1}]", "A figure is not between 0 and 10^15")]
    [InlineData("[{\"mode\":null,\"ring\":\"split\",\"arrakis_mpps\":1,\"dpdk_mpps\":1,\"arrakis_cycles\":1,\"dpdk_cycles\":1}]", "is not what make bench-nic writes")]
    public void An_artifact_that_is_something_else_is_refused_in_a_sentence(string text, string expected)
    {
        Write(nic: text);

        (int exitCode, _, string errors) = Draw();

        Assert.Equal(1, exitCode);
        Assert.Contains(expected, errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
    }

    [Fact]
    public void A_row_without_a_distribution_is_drawn_by_its_percentiles()
    {
        var row = new UdpRow { Path = "arrakis", Api = "native", InFlight = 1, P50Us = 1, P99Us = 2, P999Us = 3, P9999Us = 4 };

        Assert.Equal([(50, 1), (99, 2), (99.9, 3), (99.99, 4)], row.Points.Select(static point => (point.Percentile, point.Us)));
        Assert.Equal([(90, 5)], (row with { Distribution = [new(90, 5), new(100, 6)] }).Points.Select(static point => (point.Percentile, point.Us)));
    }

    private void Write(string? udp = null, string? nic = null, string? sweep = null)
    {
        foreach ((string name, string? text) in ((string, string?)[])[("bench-udp.json", udp), ("bench-nic.json", nic), ("bench-nic-sweep.json", sweep)])
        {
            if (text is not null)
            {
                _ = _program.Write(name, text);
            }
        }
    }

    private (int ExitCode, string Output, string Errors) Draw() => PlotsProgram.Run("pictures", _program.Folder, _program.File("pictures"));

    private void AssertShows(string picture, params string[] texts)
    {
        string[] shown = _program.TextsOf($"pictures/{picture}");
        Assert.All(texts, text => Assert.Contains(text, shown));
    }
}
