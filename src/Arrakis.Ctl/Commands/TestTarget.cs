using System.CommandLine;
using System.CommandLine.Parsing;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Wire;

namespace Arrakis.Ctl.Commands;

/// <summary>Which echo server the device's tester sends to, and from which address: what the commands that test have in common.</summary>
internal sealed class TestTarget(CommandFactory commands)
{
    private readonly Argument<ulong> _id = commands.BindingIds.Argument();
    private readonly Option<ushort> _port = new("--port") { Description = "UDP port of an echo server on the binding.", DefaultValueFactory = static _ => 7 };
    private readonly Option<int> _payload = new("--payload") { Description = "Bytes of UDP payload, 16 to 1472.", DefaultValueFactory = static _ => 32 };
    private readonly Option<Ipv4Address?> _source = new("--source")
    {
        Description = "Source address; otherwise the highest of the network that no binding has.",
        HelpName = "address",
        CustomParser = ParseAddress,
    };

    /// <summary>Adds what names the target to a command.</summary>
    internal void AddTo(Command command)
    {
        command.Arguments.Add(_id);
        command.Options.Add(_port);
        command.Options.Add(_payload);
        command.Options.Add(_source);
    }

    /// <summary>The binding, and a plan for it that lacks only what to send.</summary>
    internal async Task<(BindingDescription Binding, TestPlan Plan)> ReadAsync(Session session)
    {
        ParseResult line = session.CommandLine;
        BindingDescription binding = await session.Client.DescribeAsync(line.GetValue(_id), session.Cancellation).ConfigureAwait(false);
        if (binding is not { Mac: { } mac, Address: { } address })
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, $"Binding {binding.BindingId} has a storage area and no address to test.", "Name a binding of a NIC's function (arrakisctl bindings).");
        }

        var plan = new TestPlan
        {
            TargetMac = mac,
            Target = address.Address,
            TargetPort = line.GetValue(_port),
            Source = line.GetValue(_source) ?? await ChooseSourceAsync(session, address).ConfigureAwait(false),
            PayloadLength = line.GetValue(_payload),
        };
        return (binding, plan);
    }

    /// <summary>What a test's result means for the exit code; says what is wrong.</summary>
    internal static ExitCode Judge(Session session, TestPlan plan, long received, long corrupt)
    {
        if (received > 0 && corrupt == 0)
        {
            return ExitCode.Ok;
        }

        session.Terminal.WriteError(corrupt > 0
            ? $"{corrupt} replies were corrupt: the server must send back what it received."
            : $"No reply came: is an echo server on UDP port {plan.TargetPort} of {plan.Target}, and does the binding's filter let it through?");
        return ExitCode.TestFailed;
    }

    private static async Task<Ipv4Address> ChooseSourceAsync(Session session, Ipv4Prefix target)
    {
        IReadOnlyList<BindingDescription> bindings = await session.Client.ListBindingsAsync(session.Cancellation).ConfigureAwait(false);
        HashSet<Ipv4Address> taken = [.. bindings.Select(static b => b.Address).OfType<Ipv4Prefix>().Select(static address => address.Address)];
        for (uint value = target.DirectedBroadcast.Value - 1; value > target.Network.Value; value--)
        {
            if (!taken.Contains(new Ipv4Address(value)))
            {
                return new Ipv4Address(value);
            }
        }

        throw new ArrakisException(ErrorCode.InvalidRequest, $"No address of {target} is free.", "Name one with --source.");
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
