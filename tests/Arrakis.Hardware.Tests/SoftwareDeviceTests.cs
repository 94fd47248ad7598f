using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Machine;
using Arrakis.TestBed.Processes;

namespace Arrakis.Hardware.Tests;

/// <summary>The built product runs in the lab's machine.</summary>
public sealed class SoftwareDeviceTests
{
    private const string Server = "10.97.0.10";
    private const int Interrupt = 2;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_daemon_serves_two_processes_which_exchange_datagrams()
    {
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(cancellation: Cancellation);
        await using ChildProcess echo = ChildProcess.Start("UdpEcho", null, Programs.UdpEcho, ["--socket", daemon.ControlSocket, "--address", $"{Server}/24"], ChildEnding.Signal);
        Assert.Contains($"echo on {Server}:7", await echo.ReadLineAsync(DaemonProcess.Patience, Cancellation), StringComparison.Ordinal);

        string report = await Command.ReadAsync(Programs.UdpPing, [$"{Server}:7", "--socket", daemon.ControlSocket, "--count", "200", "--timeout", "60"], Cancellation);

        Assert.Contains($"to {Server}:7: 200 sent, 200 came back the same, 0 corrupt, 0 lost", report, StringComparison.Ordinal);
        Assert.True(echo.Signal(Interrupt));
        Assert.StartsWith("Received ", await echo.ReadLineAsync(DaemonProcess.Patience, Cancellation), StringComparison.Ordinal);
        Assert.Equal(0, await echo.WaitForExitAsync(Cancellation));
    }
}
