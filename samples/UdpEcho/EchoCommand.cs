using System.CommandLine;
using System.CommandLine.Parsing;
using Arrakis.Contract;
using Arrakis.Native;
using Arrakis.Wire;

namespace Arrakis.Samples.UdpEcho;

/// <summary>The command line, and the server's life from bind to release.</summary>
internal static class EchoCommand
{
    private const int Failed = 1;

    internal static RootCommand Create()
    {
        var socket = new Option<string?>("--socket") { Description = "The daemon's control socket." };
        var device = new Option<string?>("--device") { Description = "The device; otherwise the first that the policy allows." };
        var address = new Option<Ipv4Prefix?>("--address") { Description = "Address and network, such as 10.7.0.2/24; otherwise the first free one.", CustomParser = ParseAddress };
        var port = new Option<ushort>("--port") { Description = "UDP port.", DefaultValueFactory = static _ => 7 };
        var api = new Option<EchoApi>("--api") { Description = "sockets (async and await) or native (no copy).", DefaultValueFactory = static _ => EchoApi.Sockets };
        var core = new Option<int?>("--core") { Description = "The core that the polling thread stays on; otherwise any." };
        var idle = new Option<IdlePolicy>("--idle") { Description = "adaptive (sleeps when nothing comes) or spin (lowest latency).", DefaultValueFactory = static _ => IdlePolicy.Adaptive };
        var duration = new Option<TimeSpan?>("--for") { Description = "Serves for this time, such as 10s; otherwise until Ctrl-C.", CustomParser = ParseDuration };
        var root = new RootCommand("A UDP echo server on a virtual function of a NIC. Ends on Ctrl-C.");
        foreach (Option option in (Option[])[socket, device, address, port, api, core, idle, duration])
        {
            root.Options.Add(option);
        }

        root.SetAction((line, cancellation) => RunAsync(
            new EchoOptions(
                line.GetValue(socket),
                line.GetValue(device),
                line.GetValue(address),
                line.GetValue(port),
                line.GetValue(api),
                line.GetValue(core),
                line.GetValue(idle),
                line.GetValue(duration)),
            cancellation));
        return root;
    }

    private static async Task<int> RunAsync(EchoOptions options, CancellationToken cancellation)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        try
        {
            await using ArrakisClient arrakis = await ArrakisClient.ConnectAsync(options.Socket, stop.Token);
            await using NicBinding nic = await arrakis.BindNicAsync(
                new NicRequest
                {
                    Device = options.Device,
                    Address = options.Address,
                    OnRevocationRequested = (request, _) =>
                    {
                        // Ending the server disposes the binding, and that gives it back.
                        Console.WriteLine($"The control plane asks for the binding within {request.Remaining.TotalMilliseconds:F0} ms: giving it back.");
                        stop.Cancel();
                        return ValueTask.CompletedTask;
                    },
                },
                stop.Token);
            Console.WriteLine($"Binding {nic.Grant.BindingId}: {nic.Grant.Device} VF {nic.Grant.VirtualFunction}, {nic.Mac}, echo on {nic.Address.Address}:{options.Port} ({options.Api} API)");
            if (options.For is { } time)
            {
                stop.CancelAfter(time);
            }

            await (options.Api == EchoApi.Native ? NativeEcho.RunAsync(nic, options, stop.Token) : SocketsEcho.RunAsync(nic, options, stop.Token));
            Console.WriteLine($"Received {nic.Counters.FramesReceived} frames, sent {nic.Counters.FramesSent}.");
            return 0;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return 0;
        }
        catch (BindingRevokedException e)
        {
            Console.Error.WriteLine($"{e.Cause} Taken: {string.Join(", ", e.Repossessed.Select(static taken => taken.Kind))}.");
            return Failed;
        }
        catch (ArrakisException e)
        {
            Console.Error.WriteLine(e.Cause);
            Console.Error.WriteLine(e.Remedy);
            return Failed;
        }
        catch (LinuxException e)
        {
            Console.Error.WriteLine(e.Message); // Such as a core that is not there.
            return Failed;
        }
    }

    private static Ipv4Prefix? ParseAddress(ArgumentResult result)
    {
        if (Ipv4Prefix.TryParse(result.Tokens[0].Value, null, out Ipv4Prefix prefix))
        {
            return prefix;
        }

        result.AddError($"'{result.Tokens[0].Value}' is no address with a prefix length; write for example 10.7.0.2/24.");
        return null;
    }

    private static TimeSpan? ParseDuration(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        if (text.EndsWith('s') && double.TryParse(text[..^1], out double seconds) && seconds > 0)
        {
            return TimeSpan.FromSeconds(seconds);
        }

        result.AddError($"'{text}' is no number of seconds; write for example 10s.");
        return null;
    }
}
