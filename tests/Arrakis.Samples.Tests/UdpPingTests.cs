using Arrakis.Contract.Control;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Processes;

namespace Arrakis.Samples.Tests;

public sealed class UdpPingTests(SharedDaemon shared) : IClassFixture<SharedDaemon>
{
    [Theory]
    [InlineData("'10.97.0.10' is no address with a port", "10.97.0.10")]
    [InlineData("'10.97.0.10:0' is no address with a port", "10.97.0.10:0")]
    [InlineData("--count takes a number from 1", "10.97.0.10:7", "--count", "0")]
    [InlineData("--timeout takes 1 to 3600 seconds", "10.97.0.10:7", "--timeout", "0")]
    [InlineData("There is no device 'other'.", "10.97.0.10:7", "--device", "other")]
    [InlineData("sched_setaffinity(core 500)", "10.97.0.10:7", "--core", "500")]
    public async Task What_cannot_be_is_said_in_words(string words, params string[] arguments)
    {
        (int exitCode, _, string errors) = await Sample.RunAsync(Programs.UdpPing, ["--socket", shared.Daemon.ControlSocket, .. arguments]);

        Assert.Equal(1, exitCode);
        Assert.Contains(words, errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal); // No stack trace.
    }

    [Fact]
    public async Task Without_a_server_everything_is_lost_and_the_exit_code_says_so()
    {
        (int exitCode, string output, _) = await Sample.RunAsync(Programs.UdpPing, "10.97.0.200:7", "--socket", shared.Daemon.ControlSocket, "--count", "1", "--timeout", "1");

        Assert.Equal(1, exitCode);
        Assert.Contains("1 sent, 0 came back the same, 0 corrupt, 1 lost", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ctrl_c_ends_it_with_a_report_of_what_was()
    {
        await using ChildProcess ping = ChildProcess.Start(
            "UdpPing", null, Programs.UdpPing, ["10.97.0.200:7", "--socket", shared.Daemon.ControlSocket, "--timeout", "3600"], ChildEnding.Signal);
        await using ArrakisClient client = await shared.Daemon.ConnectAsync(TestContext.Current.CancellationToken);
        await shared.Daemon.UntilAsync(
            async () =>
            {
                // Counters start anew before a binding is listed; what an earlier holder sent does not count.
                IReadOnlyList<BindingDescription> bindings = await client.ListBindingsAsync(TestContext.Current.CancellationToken);
                IReadOnlyList<DeviceDescription> devices = await client.ListDevicesAsync(TestContext.Current.CancellationToken);
                return bindings.Count > 0 && devices[0].VirtualFunctions[bindings[0].VirtualFunction].Counters.FramesIn > 0;
            },
            "a frame of UdpPing",
            TestContext.Current.CancellationToken);

        Assert.True(ping.Signal(Sample.Interrupt));

        (int exitCode, string line) = await Sample.EndAsync(ping);
        Assert.Equal(1, exitCode);
        Assert.Contains("0 came back the same", line, StringComparison.Ordinal);
    }
}
