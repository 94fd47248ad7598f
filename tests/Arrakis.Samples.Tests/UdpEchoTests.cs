using Arrakis.Contract.Control;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Processes;

namespace Arrakis.Samples.Tests;

/// <summary>One daemon for the tests of this project that need no other.</summary>
public sealed class SharedDaemon : IAsyncLifetime
{
    internal DaemonProcess Daemon { get; private set; } = null!;

    /// <inheritdoc/>
    public async ValueTask InitializeAsync() => Daemon = await DaemonProcess.StartAsync();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => Daemon.DisposeAsync();
}

public sealed class UdpEchoTests(SharedDaemon shared) : IClassFixture<SharedDaemon>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("sockets")]
    [InlineData("native")]
    public async Task Both_interfaces_echo_to_a_second_process_and_end_on_ctrl_c(string api)
    {
        await using ChildProcess echo = await Sample.StartEchoAsync(shared.Daemon, Programs.UdpEcho, "--api", api);

        await Sample.PingAsync(shared.Daemon, 500);

        Assert.True(echo.Signal(Sample.Interrupt));
        (int exitCode, string line) = await Sample.EndAsync(echo);
        Assert.Equal(0, exitCode);
        Assert.Matches("^Received [0-9]{3,} frames, sent [0-9]{3,}\\.$", line);
        await AssertNothingIsBoundAsync();
    }

    [Theory]
    [InlineData("sockets")]
    [InlineData("native")]
    public async Task Asked_to_give_back_it_does_and_ends_well(string api)
    {
        await using ArrakisClient client = await shared.Daemon.ConnectAsync(Cancellation);
        await using ChildProcess echo = await Sample.StartEchoAsync(shared.Daemon, Programs.UdpEcho, "--api", api);
        BindingDescription binding = await Sample.BindingAsync(client);

        // Given back, and not aborted at the deadline: that is longer than the test's patience.
        await client.RevokeAsync(binding.BindingId, RevocationMode.Visible, TimeSpan.FromMinutes(30), Cancellation).AsTask().WaitAsync(DaemonProcess.Patience, Cancellation);

        Assert.StartsWith("The control plane asks for the binding within", await echo.ReadLineAsync(DaemonProcess.Patience, Cancellation), StringComparison.Ordinal);
        Assert.Equal(0, (await Sample.EndAsync(echo)).ExitCode);
        await AssertNothingIsBoundAsync();
    }

    [Theory]
    [InlineData("sockets")]
    [InlineData("native")]
    public async Task Taken_away_it_says_what_was_taken(string api)
    {
        await using ArrakisClient client = await shared.Daemon.ConnectAsync(Cancellation);
        await using ChildProcess echo = await Sample.StartEchoAsync(shared.Daemon, Programs.UdpEcho, "--api", api);
        BindingDescription binding = await Sample.BindingAsync(client);

        await client.RevokeAsync(binding.BindingId, RevocationMode.Invisible, default, Cancellation);

        Assert.Equal(1, await echo.WaitForExitAsync(Cancellation).WaitAsync(DaemonProcess.Patience, Cancellation));
        Assert.Contains($"Binding {binding.BindingId} (generation {binding.Generation}) is Revoked.", echo.Errors, StringComparison.Ordinal);
        Assert.Contains("Taken: VirtualFunction, QueuePairs, QueueMemory, MacAddress, Ipv4Address.", echo.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_ends_by_itself_after_its_time()
    {
        (int exitCode, string output, string errors) = await Sample.RunAsync(
            Programs.UdpEcho, "--socket", shared.Daemon.ControlSocket, "--device", DaemonSetup.Device, "--port", "9", "--core", "0", "--for", "0.2s");

        Assert.Equal((0, ""), (exitCode, errors));
        Assert.Contains(":9 (Sockets API)", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("There is no device 'other'.", "--device", "other")]
    [InlineData("10.98.0.1/24 is not of the networks of device 'soft0'.", "--address", "10.98.0.1/24")]
    [InlineData("'10.97.0.1' is no address with a prefix length", "--address", "10.97.0.1")]
    [InlineData("'soon' is no number of seconds", "--for", "soon")]
    [InlineData("sched_setaffinity(core 500)", "--core", "500")]
    public async Task What_cannot_be_is_said_in_words(string words, params string[] options)
    {
        (int exitCode, _, string errors) = await Sample.RunAsync(Programs.UdpEcho, ["--socket", shared.Daemon.ControlSocket, .. options]);

        Assert.Equal(1, exitCode);
        Assert.Contains(words, errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal); // No stack trace.
        await AssertNothingIsBoundAsync();
    }

    [Fact]
    public async Task Without_a_daemon_it_says_how_to_start_one()
    {
        (int exitCode, _, string errors) = await Sample.RunAsync(Programs.UdpEcho, "--socket", "/run/arrakis-test-nobody.sock");

        Assert.Equal(1, exitCode);
        Assert.Contains("The control socket /run/arrakis-test-nobody.sock does not answer", errors, StringComparison.Ordinal);
        Assert.Contains("systemctl start arrakisd", errors, StringComparison.Ordinal);
    }

    private async Task AssertNothingIsBoundAsync()
    {
        await using ArrakisClient client = await shared.Daemon.ConnectAsync(Cancellation);
        await shared.Daemon.UntilAsync(async () => (await client.ListBindingsAsync(Cancellation)).Count == 0, "an end of all bindings", Cancellation);
    }
}
