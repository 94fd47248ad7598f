using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.Json;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Ctl.Load;
using Arrakis.Ctl.Output;

namespace Arrakis.Ctl.Commands;

/// <summary>Finds what saturates an echo server, then measures latency at loads below; or soaks it with one load.</summary>
internal sealed class BenchCommand
{
    private const double SoakShare = 50;

    private readonly TestTarget _target;
    private readonly Option<IReadOnlyList<OfferedLoad>> _rates = OfferedLoad.Option();
    private readonly Option<int> _inFlight = new("--in-flight") { Description = "The most requests under way at once, 1 to 4096; what is due meanwhile is sent late and counted.", DefaultValueFactory = static _ => 64 };
    private readonly Option<TimeSpan> _duration = Durations.Option("--duration", "How long to measure each load, or an interval of a soak.", TimeSpan.FromSeconds(2));
    private readonly Option<TimeSpan> _warmup = Durations.Option("--warmup", "How long to send before each measurement.", TimeSpan.FromMilliseconds(200));
    private readonly Option<ArrivalSpacing> _arrivals = new("--arrivals") { Description = "How requests are spaced: Poisson, at random, or Fixed, evenly.", DefaultValueFactory = static _ => ArrivalSpacing.Poisson };
    private readonly Option<int> _seed = new("--seed") { Description = "Seed of random arrivals.", DefaultValueFactory = static _ => 1 };
    private readonly Option<TimeSpan> _soak = Durations.Option("--soak", "Offers one load for so long in place of several, with a line for each interval.", TimeSpan.Zero);
    private readonly Option<string?> _output = new("--output") { Description = "Writes the report as JSON to a file too.", HelpName = "file" };

    private BenchCommand(CommandFactory commands) => _target = new TestTarget(commands);

    internal static Command Create(CommandFactory commands)
    {
        var bench = new BenchCommand(commands);
        Command command = commands.Create(
            "bench",
            "Lets the device's tester find what saturates an echo server on a binding, then measures latency and loss at offered loads, each request counted from when it was due (administrators).",
            bench.RunAsync);
        bench._target.AddTo(command);
        foreach (Option option in (Option[])[bench._rates, bench._inFlight, bench._duration, bench._warmup, bench._arrivals, bench._seed, bench._soak, bench._output])
        {
            command.Options.Add(option);
        }

        command.Validators.Add(bench.Check);
        return command;
    }

    private void Check(CommandResult result)
    {
        if (result.GetResult(_soak) is { Implicit: false } && result.GetResult(_rates) is { Implicit: false, Errors: { } errors } && !errors.Any() && result.GetValue(_rates) is { Count: > 1 })
        {
            result.AddError("--soak offers one load: give --rates only one.");
        }
    }

    private async Task<ExitCode> RunAsync(Session session)
    {
        ParseResult line = session.CommandLine;
        (BindingDescription binding, TestPlan plan) = await _target.ReadAsync(session).ConfigureAwait(false);
        plan = plan with
        {
            InFlight = line.GetValue(_inFlight),
            WarmupMilliseconds = (int)line.GetValue(_warmup).TotalMilliseconds,
            DurationMilliseconds = (int)line.GetValue(_duration).TotalMilliseconds,
            Seed = line.GetValue(_seed),
        };
        TimeSpan soak = line.GetValue(_soak);
        IReadOnlyList<OfferedLoad> loads = line.GetValue(_rates) ?? (soak > TimeSpan.Zero ? [new OfferedLoad(SoakShare, true)] : OfferedLoad.Default);
        var run = new LoadRun(session, binding, plan, line.GetValue(_arrivals));
        double? saturation = loads.Any(static load => load.IsShare) ? await run.SaturateAsync().ConfigureAwait(false) : null;
        if (saturation == 0)
        {
            return TestTarget.Judge(session, plan, 0, 0);
        }

        List<LoadRow> rows = [];
        foreach (OfferedLoad load in loads)
        {
            double rate = load.Rate(saturation ?? 0);
            rows.Add(soak > TimeSpan.Zero
                ? await run.SoakAsync(rate, saturation, soak).ConfigureAwait(false)
                : await run.OfferAsync(rate, saturation).ConfigureAwait(false));
        }

        string target = string.Create(CultureInfo.InvariantCulture, $"{plan.Target}:{plan.TargetPort}");
        Report(session, new LoadReport(target, plan.PayloadLength, plan.InFlight, line.GetValue(_arrivals), plan.Seed, saturation is { } rps ? Math.Round(rps) : null, rows));
        return TestTarget.Judge(session, plan, rows.Sum(static row => row.Received), rows.Sum(static row => row.Corrupt));
    }

    private void Report(Session session, LoadReport report)
    {
        if (session.CommandLine.GetValue(_output) is { } file)
        {
            Save(file, report);
        }

        if (session.Json)
        {
            session.Terminal.WriteJson(report, IndentedJson.Ctl.LoadReport);
            return;
        }

        if (report.SaturationRps is { } saturation)
        {
            session.Terminal.Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{report.Target} is saturated at {saturation:0} requests/s with {report.InFlight} in flight."));
        }

        session.Terminal.Write(LoadTable.Of(report.Loads), "");
    }

    private static void Save(string file, LoadReport report)
    {
        try
        {
            File.WriteAllText(file, JsonSerializer.Serialize(report, IndentedJson.Ctl.LoadReport) + "\n");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, $"{file} cannot be written: {e.Message}", "Name another file with --output.");
        }
    }
}
