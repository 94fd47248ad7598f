using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Ctl.Output;
using Arrakis.Wire;

namespace Arrakis.Ctl.Commands;

/// <summary>Runs the device's tester port against a binding.</summary>
internal static class TestCommand
{
    internal static Command Create(CommandFactory commands)
    {
        Argument<ulong> id = commands.BindingIds.Argument();
        var port = new Option<ushort>("--port") { Description = "UDP port of an echo server on the binding.", DefaultValueFactory = static _ => 7 };
        var payload = new Option<int>("--payload") { Description = "Bytes of UDP payload, 16 to 1472.", DefaultValueFactory = static _ => 32 };
        var inFlight = new Option<int>("--in-flight") { Description = "Requests under way at once.", DefaultValueFactory = static _ => 1 };
        var source = new Option<Ipv4Address?>("--source")
        {
            Description = "Source address; otherwise the highest of the network that no binding has.",
            HelpName = "address",
            CustomParser = ParseAddress,
        };
        Option<TimeSpan> duration = Durations.Option("--duration", "How long to measure.", TimeSpan.FromSeconds(1));
        Option<TimeSpan> warmup = Durations.Option("--warmup", "How long to send before the measurement.", TimeSpan.FromMilliseconds(200));
        Command command = commands.Create("test", "Lets the device's tester send UDP requests to an echo server on a binding and time the replies (administrators).", async session =>
        {
            ParseResult line = session.CommandLine;
            BindingDescription binding = await session.Client.DescribeAsync(line.GetValue(id), session.Cancellation).ConfigureAwait(false);
            var plan = new TestPlan
            {
                TargetMac = binding.Mac,
                Target = binding.Address.Address,
                TargetPort = line.GetValue(port),
                Source = line.GetValue(source) ?? await ChooseSourceAsync(session, binding).ConfigureAwait(false),
                PayloadLength = line.GetValue(payload),
                InFlight = line.GetValue(inFlight),
                WarmupMilliseconds = (int)line.GetValue(warmup).TotalMilliseconds,
                DurationMilliseconds = (int)line.GetValue(duration).TotalMilliseconds,
            };
            TestResult result = await session.Client.RunTestAsync(binding.Device, plan, session.Cancellation).ConfigureAwait(false);
            return Report(session, plan, result);
        });
        command.Arguments.Add(id);
        foreach (Option option in (Option[])[port, payload, inFlight, source, duration, warmup])
        {
            command.Options.Add(option);
        }

        return command;
    }

    private static ExitCode Report(Session session, TestPlan plan, TestResult result)
    {
        if (session.Json)
        {
            session.Terminal.WriteJson(result, IndentedJson.Contract.TestResult);
        }
        else
        {
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

        if (result.Received > 0 && result.Corrupt == 0)
        {
            return ExitCode.Ok;
        }

        session.Terminal.WriteError(result.Corrupt > 0
            ? $"{result.Corrupt} replies were corrupt: the server must send back what it received."
            : $"No reply came: is an echo server on UDP port {plan.TargetPort} of {plan.Target}, and does the binding's filter let it through?");
        return ExitCode.TestFailed;
    }

    private static async Task<Ipv4Address> ChooseSourceAsync(Session session, BindingDescription target)
    {
        IReadOnlyList<BindingDescription> bindings = await session.Client.ListBindingsAsync(session.Cancellation).ConfigureAwait(false);
        HashSet<Ipv4Address> taken = [.. bindings.Select(static b => b.Address.Address)];
        for (uint value = target.Address.DirectedBroadcast.Value - 1; value > target.Address.Network.Value; value--)
        {
            if (!taken.Contains(new Ipv4Address(value)))
            {
                return new Ipv4Address(value);
            }
        }

        throw new ArrakisException(ErrorCode.InvalidRequest, $"No address of {target.Address} is free.", "Name one with --source.");
    }

    private static Ipv4Address? ParseAddress(ArgumentResult result)
    {
        if (Ipv4Address.TryParse(result.Tokens[0].Value, null, out Ipv4Address address))
        {
            return address;
        }

        result.AddError($"'{result.Tokens[0].Value}' is no IPv4 address; write four decimal octets such as 10.7.0.9.");
        return null;
    }
}
