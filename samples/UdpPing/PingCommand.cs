using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Net;
using Arrakis.Contract;
using Arrakis.Native;
using Arrakis.Wire;

namespace Arrakis.Samples.UdpPing;

/// <summary>The command line, and the client's life from bind to release.</summary>
internal static class PingCommand
{
    private const int Failed = 1;

    internal static RootCommand Create()
    {
        var target = new Argument<UdpEndPoint>("target") { Description = "The echo server, such as 10.7.0.2:7.", CustomParser = ParseTarget };
        var socket = new Option<string?>("--socket") { Description = "The daemon's control socket." };
        var device = new Option<string?>("--device") { Description = "The device; otherwise the first that the policy allows." };
        var count = new Option<int>("--count") { Description = "Datagrams to send.", DefaultValueFactory = static _ => 1000 };
        count.Validators.Add(static result =>
        {
            if (result.GetValueOrDefault<int>() < 1)
            {
                result.AddError("--count takes a number from 1.");
            }
        });
        var timeout = new Option<int>("--timeout") { Description = "Seconds to wait for a reply.", DefaultValueFactory = static _ => 2 };
        timeout.Validators.Add(static result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > 3600)
            {
                result.AddError("--timeout takes 1 to 3600 seconds.");
            }
        });
        var core = new Option<int?>("--core") { Description = "The core that the polling thread stays on; otherwise any." };
        var idle = new Option<IdlePolicy>("--idle") { Description = "adaptive (sleeps when nothing comes) or spin (lowest latency).", DefaultValueFactory = static _ => IdlePolicy.Adaptive };
        var root = new RootCommand("Sends datagrams of many sizes to a UDP echo server and compares the replies byte by byte. Ends with 0 if all came back the same.");
        root.Arguments.Add(target);
        foreach (Option option in (Option[])[socket, device, count, timeout, core, idle])
        {
            root.Options.Add(option);
        }

        root.SetAction(async (line, cancellation) =>
        {
            try
            {
                await using ArrakisClient arrakis = await ArrakisClient.ConnectAsync(line.GetValue(socket), cancellation);
                await using NicBinding nic = await arrakis.BindNicAsync(new NicRequest { Device = line.GetValue(device) }, cancellation);
                using Reactor reactor = Reactor.Start(nic, line.GetValue(core), line.GetValue(idle));
                UdpEndPoint server = line.GetValue(target);
                int wanted = line.GetValue(count);
                var patience = TimeSpan.FromSeconds(line.GetValue(timeout));
                PingReport report = await reactor.RunAsync(() => Ping.RunAsync(server, wanted, nic.Mtu, patience, cancellation));
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{nic.Address.Address} to {server}: {report.Sent} sent, {report.Same} came back the same, {report.Corrupt} corrupt, {report.Lost} lost; round trip p50 {report.Percentile(50):F1} µs, p99 {report.Percentile(99):F1} µs"));
                return report.Same == wanted ? 0 : Failed;
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
            catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
            {
                return Failed;
            }
        });
        return root;
    }

    private static UdpEndPoint ParseTarget(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        int colon = text.LastIndexOf(':');
        if (colon > 0
            && Ipv4Address.TryParse(text.AsSpan(0, colon), null, out Ipv4Address address)
            && ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort port)
            && port > IPEndPoint.MinPort)
        {
            return new UdpEndPoint(address, port);
        }

        result.AddError($"'{text}' is no address with a port; write for example 10.7.0.2:7.");
        return default;
    }
}
