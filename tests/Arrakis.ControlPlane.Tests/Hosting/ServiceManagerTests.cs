using System.Globalization;
using System.Text.RegularExpressions;
using Arrakis.Contract;
using Arrakis.ControlPlane.Tests.ControlSocket;
using Arrakis.Native;
using Arrakis.Native.Processes;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Processes;

namespace Arrakis.ControlPlane.Tests.Hosting;

/// <summary>A real daemon under a service manager that the test plays.</summary>
public sealed partial class ServiceManagerTests
{
    private const int Stop = 19;
    private const int Continue = 18;
    private static readonly string[] s_parts = ["record", "memory", "status", "event", "kick0", "kick1", "holder", "vhost"];
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_manyWatchdogPeriods = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task Ready_is_said_when_the_control_socket_takes_connections_and_stopping_when_it_ends()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        await using var notify = new NotifySocket();
        bool? connected = null;
        string socket = $"/run/arrakis-ready-{Environment.ProcessId}.sock";
        notify.OnMessage = text => connected ??= text == "READY=1" ? CanConnect(socket) : null;
        string folder = Directory.CreateTempSubdirectory("arrakis-ready-").FullName;
        string policy = Path.Combine(folder, "policy.json");
        await File.WriteAllTextAsync(policy, "{ \"rules\": [] }", cancellation);
        string config = Path.Combine(folder, "arrakisd.json");
        await File.WriteAllTextAsync(config, $"{{ \"socket\": {{ \"path\": \"{socket}\" }}, \"runtimeDirectory\": \"{folder}\", \"policyFile\": \"{policy}\", \"keeper\": \"none\" }}", cancellation);
        try
        {
            await using (ChildProcess.Start("arrakisd", null, Programs.Daemon, ["--config", config], ChildEnding.Signal, new Dictionary<string, string> { ["NOTIFY_SOCKET"] = notify.Path }))
            {
                await UntilAsync(() => notify.Count("READY=1") == 1);
                Assert.True(connected);
                Assert.Equal(0, notify.Count("STOPPING=1"));
            }

            await UntilAsync(() => notify.Count("STOPPING=1") == 1);
            Assert.Equal(0, notify.Count("WATCHDOG=1"));
            Assert.False(File.Exists(socket));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_reload_is_announced_with_its_time_and_followed_by_ready_even_if_the_policy_is_broken()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        await using var notify = new NotifySocket();
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(WithManager(notify), cancellation);
        await UntilAsync(() => notify.Count("READY=1") == 1);
        await daemon.ReloadAsync("loaded: 1 rules", cancellation);
        await UntilAsync(() => notify.Count("READY=1") == 2);
        daemon.WritePolicy("{");
        await daemon.ReloadAsync("the old one stays in force", cancellation);
        await UntilAsync(() => notify.Count("READY=1") == 3);

        string[] said = [.. notify.Messages.Select(static message => message.Text).Where(static text => text == "READY=1" || Reloading().IsMatch(text))];
        Assert.Equal(5, said.Length);
        Assert.True(Reloading().IsMatch(said[1]) && Reloading().IsMatch(said[3]) && said[2] == "READY=1" && said[4] == "READY=1");
        long[] times = [.. new[] { said[1], said[3] }.Select(static text => long.Parse(Reloading().Match(text).Groups[1].Value, CultureInfo.InvariantCulture))];
        Assert.InRange(times[0], 1, times[1]);
        Assert.InRange(times[1], times[0], (long)(TimeProvider.System.GetTimestamp() * (1e6 / TimeProvider.System.TimestampFrequency)));
    }

    [Fact]
    public async Task Signs_of_life_come_at_the_interval_and_stop_when_the_daemon_hangs()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        await using var notify = new NotifySocket();
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(WithManager(notify, ("WATCHDOG_USEC", "100000")), cancellation);
        await UntilAsync(() => notify.Count("WATCHDOG=1") >= 3);
        using ProcessDescriptor process = ProcessDescriptor.Open(daemon.ProcessId);
        Assert.True(process.Signal(Stop));
        await UntilAsync(() => File.ReadAllText($"/proc/{daemon.ProcessId}/stat").Contains(") T ", StringComparison.Ordinal));
        await Task.Delay(s_manyWatchdogPeriods, cancellation); // What was on the way arrives.
        int before = notify.Count("WATCHDOG=1");
        await Task.Delay(s_manyWatchdogPeriods, cancellation);
        Assert.Equal(before, notify.Count("WATCHDOG=1"));
        Assert.True(process.Signal(Continue));
        await UntilAsync(() => notify.Count("WATCHDOG=1") > before + 1);
    }

    [Fact]
    public async Task A_watchdog_that_is_meant_for_another_process_is_none()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        await using var notify = new NotifySocket();
        await using (await DaemonProcess.StartAsync(WithManager(notify, ("WATCHDOG_USEC", "20000"), ("WATCHDOG_PID", "1")), cancellation))
        {
            await UntilAsync(() => notify.Count("READY=1") == 1);
        }

        Assert.Equal(0, notify.Count("WATCHDOG=1"));
    }

    [Fact]
    public async Task Descriptors_are_given_to_systemd_with_their_names_and_taken_back()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        await using var notify = new NotifySocket();
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(WithManager(notify, ("FDSTORE", "512")) with { Keeper = "auto" }, cancellation);
        Assert.Contains("Descriptors are kept by: systemd", daemon.Log, StringComparison.Ordinal);
        using RawClient client = await RawClient.GreetAsync(daemon.ControlSocket);
        Grant grant = (await client.BindAsync()).Grant;
        string[] names = [.. s_parts.Select(part => $"arrakis.binding-{grant.BindingId}.{part}")];
        await UntilAsync(() => names.All(name => notify.Messages.Contains(($"FDSTORE=1\nFDNAME={name}\nFDPOLL=0", 1))));
        await client.ReleaseAsync(grant);
        int last = notify.Messages.ToList().FindLastIndex(static message => message.Text.StartsWith("FDSTORE=1", StringComparison.Ordinal));
        await UntilAsync(() => names.All(name => notify.Messages.Skip(last).Any(message => message.Text == $"FDSTOREREMOVE=1\nFDNAME={name}")));
        Assert.EndsWith("record", notify.Messages[^1].Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_socket_that_the_manager_opened_is_served()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        string folder = Directory.CreateTempSubdirectory("arrakis-activation-").FullName;
        string socket = Path.Combine(folder, "activated.sock");
        try
        {
            await File.WriteAllTextAsync(Path.Combine(folder, "policy.json"), "{ \"rules\": [] }", cancellation);
            string config = Path.Combine(folder, "arrakisd.json");
            await File.WriteAllTextAsync(
                config, $"{{ \"socket\": {{ \"path\": \"{folder}/own.sock\" }}, \"runtimeDirectory\": \"{folder}\", \"policyFile\": \"{folder}/policy.json\", \"keeper\": \"none\" }}", cancellation);
            string[] host = Environment.GetEnvironmentVariable("DOTNET_ROOT") is { } root ? [$"--setenv=DOTNET_ROOT={root}"] : [];
            await using ChildProcess launcher = ChildProcess.Start(
                "launcher", null, "systemd-socket-activate", ["--seqpacket", $"--listen={socket}", .. host, Programs.Daemon, "--config", config], ChildEnding.Signal);
            await UntilAsync(() =>
            {
                launcher.ThrowIfExited();
                return CanConnect(socket);
            });

            using RawClient client = await RawClient.GreetAsync(socket);
            Assert.Empty(await client.ListAsync());
            Assert.Contains("socket that systemd opened", launcher.Errors, StringComparison.Ordinal);
            Assert.False(File.Exists(Path.Combine(folder, "own.sock")));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    internal static async Task UntilAsync(Func<bool> condition)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < s_patience, "It never came.");
            await Task.Delay(5);
        }
    }

    private static DaemonSetup WithManager(NotifySocket notify, params (string Name, string Value)[] more)
    {
        Dictionary<string, string> environment = new() { ["NOTIFY_SOCKET"] = notify.Path };
        foreach ((string name, string value) in more)
        {
            environment[name] = value;
        }

        return new DaemonSetup { Environment = environment };
    }

    private static bool CanConnect(string path)
    {
        try
        {
            RawClient.Connect(path).Dispose();
            return true;
        }
        catch (LinuxException)
        {
            return false;
        }
    }

    [GeneratedRegex(@"^RELOADING=1\nMONOTONIC_USEC=(\d+)$")]
    private static partial Regex Reloading();
}
