using System.Globalization;
using System.Text.Json;
using Arrakis.TestBed.Machine;

namespace Arrakis.StorageLatency.Parties;

/// <summary>fio past the page cache: with io_uring, or one overwrite after the other with O_DSYNC.</summary>
/// <remarks>Of an append with io_uring a time is the sum of a write's and of the fdatasync's that follows, each at its percentile.</remarks>
internal sealed class FioParty(string folder, bool isDurableOverwrite) : IParty
{
    private const double NanosecondsPerMicrosecond = 1000;

    /// <inheritdoc/>
    public string Name => isDurableOverwrite ? "o-dsync" : "fio-io_uring";

    /// <inheritdoc/>
    public bool Has(Workload load) => !isDurableOverwrite || load is { Work: Work.Append, Depth: 1 };

    /// <inheritdoc/>
    public async Task<Sample> RunAsync(Workload load, TimeSpan duration, CancellationToken cancellation)
    {
        string rw = load.Work switch
        {
            Work.Read => "randread",
            Work.Write => "randwrite",
            _ => "write",
        };
        List<string> arguments =
        [
            "--name=bench", $"--filename={Path.Combine(folder, "fio")}", $"--rw={rw}", $"--bs={load.Length}", "--direct=1", "--overwrite=1",
            $"--size={Workload.Span}", "--time_based", "--output-format=json",
            string.Create(CultureInfo.InvariantCulture, $"--runtime={(long)duration.TotalMilliseconds}ms"),
            .. isDurableOverwrite ? (string[])["--ioengine=psync", "--sync=dsync"] : ["--ioengine=io_uring", $"--iodepth={load.Depth}"],
        ];
        if (load.Work == Work.Append && !isDurableOverwrite)
        {
            arguments.Add("--fdatasync=1");
        }

        string text = await Command.ReadAsync("fio", arguments, cancellation);
        using JsonDocument document = JsonDocument.Parse(text[text.IndexOf('{', StringComparison.Ordinal)..]);
        JsonElement job = document.RootElement.GetProperty("jobs")[0];
        JsonElement side = job.GetProperty(load.Work == Work.Read ? "read" : "write");
        double p50 = Percentile(side.GetProperty("clat_ns"), "50.000000");
        double p99 = Percentile(side.GetProperty("clat_ns"), "99.000000");
        if (load.Work == Work.Append && !isDurableOverwrite)
        {
            JsonElement sync = job.GetProperty("sync").GetProperty("lat_ns");
            p50 += Percentile(sync, "50.000000");
            p99 += Percentile(sync, "99.000000");
        }

        double cpu = (job.GetProperty("usr_cpu").GetDouble() + job.GetProperty("sys_cpu").GetDouble()) / 100 * job.GetProperty("job_runtime").GetDouble() * 1000;
        return new Sample(side.GetProperty("iops").GetDouble(), p50, p99, cpu / side.GetProperty("total_ios").GetDouble());
    }

    private static double Percentile(JsonElement times, string name) =>
        times.GetProperty("percentile").GetProperty(name).GetDouble() / NanosecondsPerMicrosecond;
}
