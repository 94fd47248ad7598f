using System.CommandLine;
using System.CommandLine.Parsing;
using Arrakis.Measuring.Sessions;
using Arrakis.UdpLatency.Gc;
using Arrakis.UdpLatency.Report;

namespace Arrakis.UdpLatency.Commands;

/// <summary>The commands and their options.</summary>
internal static class CommandLine
{
    private static readonly Option<bool> s_quick = new("--quick") { Description = "A short form: shorter runs, less certain figures." };
    private static readonly Option<int?> s_pairs = new("--pairs") { Description = "Pairs of runs: kernel, arrakis and DPDK in turn; otherwise 5, or 2 of the short form." };
    private static readonly Option<int> s_clientCore = new("--client-core") { Description = "Core of the kernel client and of the device.", DefaultValueFactory = _ => 0 };
    private static readonly Option<int> s_serverCore = new("--server-core") { Description = "Core of the serving thread.", DefaultValueFactory = _ => 1 };
    private static readonly Option<int> s_payload = new("--payload") { Description = "Bytes of UDP payload, 16 to 1472.", DefaultValueFactory = _ => 32 };

    public static Task<int> RunAsync(string[] args)
    {
        s_payload.Validators.Add(result => Range(result, s_payload, 16, 1472));
        s_pairs.Validators.Add(result => Range(result, s_pairs, 1, 1000));
        s_clientCore.Validators.Add(result => Range(result, s_clientCore, 0, 1023));
        s_serverCore.Validators.Add(result => Range(result, s_serverCore, 0, 1023));
        var root = new RootCommand("UDP round trips through Arrakis beside kernel sockets and DPDK.") { Demo(), Bench(), Gc(), Soak() };

        // No limit to the time after a signal: what was made is undone then, however long that takes.
        return root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
    }

    private static Command Demo()
    {
        Option<string> output = Output("artifacts/demo.json");
        var command = new Command("demo", "Shows ping, echo and a second process through the rings, then the measurement.") { output, s_quick, s_clientCore, s_serverCore, s_payload };
        command.SetAction((parsed, _) => Session.RunAsync(Plan(parsed), [], (session, cancellation) => DemoCommand.RunAsync(session, parsed.GetValue(output)!, parsed.GetValue(s_quick), cancellation)));
        return command;
    }

    private static Command Bench()
    {
        Option<string> output = Output("artifacts/bench-udp.json");
        var command = new Command("bench", "Measures alternating pairs: medians, spread and ratios.") { output, s_quick, s_pairs, s_clientCore, s_serverCore, s_payload };
        command.SetAction((parsed, _) => Session.RunAsync(Plan(parsed), SessionNeeds.Dpdk, (session, cancellation) => BenchCommand.RunAsync(session, parsed.GetValue(output)!, parsed.GetValue(s_pairs) ?? (parsed.GetValue(s_quick) ? 2 : 5), cancellation)));
        return command;
    }

    private static Command Gc()
    {
        Option<string> output = Output("artifacts/bench-gc.json");
        var runs = new Option<int>("--runs") { Description = "How often each row is measured.", DefaultValueFactory = _ => 3 };
        runs.Validators.Add(result => Range(result, runs, 1, 1000));
        var setups = new Option<string[]>("--setup") { Description = "Only this setup, as the rows call it; more than once for more.", DefaultValueFactory = _ => [] };
        setups.AcceptOnlyFromAmong([.. GcSetup.All.Select(static setup => setup.Name)]);
        var apis = new Option<string[]>("--api") { Description = "Only this interface.", DefaultValueFactory = _ => [Apis.Native, Apis.UdpSocket] };
        apis.AcceptOnlyFromAmong(Apis.Native, Apis.UdpSocket);
        var nativeAot = new Option<FileInfo>("--native-aot") { Description = "The echo server published with NativeAOT; without it that row is left out." };
        nativeAot.AcceptExistingOnly();
        var command = new Command("gc", "Measures the tail while other threads of the server allocate 100 MB/s, under each setup of its runtime.") { output, runs, setups, apis, nativeAot, s_quick, s_clientCore, s_serverCore, s_payload };
        command.SetAction((parsed, _) =>
        {
            string[] names = parsed.GetValue(setups)!;
            var plan = new GcPlan(parsed.GetValue(apis)!, [.. GcSetup.All.Where(setup => names.Length == 0 || names.Contains(setup.Name))], parsed.GetValue(runs));
            return Session.RunAsync(
                Plan(parsed) with { NativeAotServer = parsed.GetValue(nativeAot)?.FullName },
                [],
                (session, cancellation) => GcCommand.RunAsync(session, plan, parsed.GetValue(output)!, cancellation));
        });
        return command;
    }

    private static Command Soak()
    {
        Option<string> output = Output("artifacts/soak.json");
        var seconds = new Option<int>("--seconds") { Description = "How long.", DefaultValueFactory = _ => 900 };
        seconds.Validators.Add(result => Range(result, seconds, 1, 604_800));
        var command = new Command("soak", "Soaks a native echo server at half of saturation, while other virtual functions are bound and revoked; fails where loss is unexplained or memory grows.") { output, seconds, s_clientCore, s_serverCore, s_payload };
        command.SetAction((parsed, _) => Session.RunAsync(Plan(parsed) with { WarmupMilliseconds = 0, DurationMilliseconds = 5000 }, [], (session, cancellation) => SoakCommand.RunAsync(session, parsed.GetValue(output)!, parsed.GetValue(seconds), cancellation)));
        return command;
    }

    private static Option<string> Output(string file) => new("--output") { Description = "The result file.", DefaultValueFactory = _ => file };

    private static MeasurementPlan Plan(ParseResult parsed)
    {
        bool quick = parsed.GetValue(s_quick);
        return new MeasurementPlan
        {
            ClientCore = parsed.GetValue(s_clientCore),
            ServerCore = parsed.GetValue(s_serverCore),
            PayloadLength = parsed.GetValue(s_payload),
            WarmupMilliseconds = quick ? 200 : 500,
            DurationMilliseconds = quick ? 200 : 2000,
        };
    }

    private static void Range<T>(OptionResult result, Option<T> option, int least, int most)
    {
        if (result.Tokens.Count > 0 && result.GetValue(option) is int value && (value < least || value > most))
        {
            result.AddError($"{option.Name} must be {least} to {most}.");
        }
    }
}
