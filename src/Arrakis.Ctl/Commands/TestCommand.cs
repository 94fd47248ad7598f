using System.CommandLine;
using System.Globalization;
using Arrakis.Contract.Control;
using Arrakis.Ctl.Output;

namespace Arrakis.Ctl.Commands;

/// <summary>Runs the device's tester port against a binding.</summary>
internal static class TestCommand
{
    internal static Command Create(CommandFactory commands)
    {
        var target = new TestTarget(commands);
        var inFlight = new Option<int>("--in-flight") { Description = "Requests under way at once.", DefaultValueFactory = static _ => 1 };
        Option<TimeSpan> duration = Durations.Option("--duration", "How long to measure.", TimeSpan.FromSeconds(1));
        Option<TimeSpan> warmup = Durations.Option("--warmup", "How long to send before the measurement.", TimeSpan.FromMilliseconds(200));
        Command command = commands.Create("test", "Lets the device's tester send UDP requests to an echo server on a binding and time the replies (administrators).", async session =>
        {
            (BindingDescription binding, TestPlan plan) = await target.ReadAsync(session).ConfigureAwait(false);
            plan = plan with
            {
                InFlight = session.CommandLine.GetValue(inFlight),
                WarmupMilliseconds = (int)session.CommandLine.GetValue(warmup).TotalMilliseconds,
                DurationMilliseconds = (int)session.CommandLine.GetValue(duration).TotalMilliseconds,
            };
            TestResult result = await session.Client.RunTestAsync(binding.Device, plan, session.Cancellation).ConfigureAwait(false);
            Write(session, plan, result);
            return TestTarget.Judge(session, plan, result.Received, result.Corrupt);
        });
        target.AddTo(command);
        foreach (Option option in (Option[])[inFlight, duration, warmup])
        {
            command.Options.Add(option);
        }

        return command;
    }

    private static void Write(Session session, TestPlan plan, TestResult result)
    {
        if (session.Json)
        {
            session.Terminal.WriteJson(result, IndentedJson.Contract.TestResult);
            return;
        }

        RoundTripPercentiles times = result.RoundTrip;
        var table = new TextTable("TARGET", "SENT", "RECEIVED", "LOST", "CORRUPT", "REQUESTS/S", "P50", "P99", "P99.9", "P99.99", "MAX");
        table.Add(
            string.Create(CultureInfo.InvariantCulture, $"{plan.Target}:{plan.TargetPort}"),
            result.Sent,
            result.Received,
            result.Lost,
            result.Corrupt,
            result.Seconds > 0 ? (long)(result.Received / result.Seconds) : 0,
            Units.Microseconds(times.P50),
            Units.Microseconds(times.P99),
            Units.Microseconds(times.P999),
            Units.Microseconds(times.P9999),
            Units.Microseconds(times.Max));
        session.Terminal.Write(table, "");
    }
}
