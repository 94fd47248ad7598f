namespace Arrakis.Packaging.Tests;

public sealed class SystemdUnitTests
{
    private const string InstalledDaemon = "/usr/lib/arrakis/arrakisd";

    [Fact]
    public async Task Systemd_finds_nothing_to_say_about_the_units()
    {
        string folder = Directory.CreateTempSubdirectory("arrakis-units-").FullName;
        try
        {
            // The program has to be where the unit says: here it is where the build put it.
            string service = await ReadAsync("arrakisd.service");
            Assert.Contains($"ExecStart={InstalledDaemon} ", service, StringComparison.Ordinal);
            await File.WriteAllTextAsync(
                Path.Combine(folder, "arrakisd.service"),
                service.Replace(InstalledDaemon, Checkout.Program("Arrakis.ControlPlane", "arrakisd"), StringComparison.Ordinal),
                TestContext.Current.CancellationToken);
            await File.WriteAllTextAsync(Path.Combine(folder, "arrakisd.socket"), await ReadAsync("arrakisd.socket"), TestContext.Current.CancellationToken);

            // Unknown keys and the like are warnings: they do not change the exit code.
            string said = await Tool.RunAsync(
                folder,
                Checkout.BuildEnvironment,
                "systemd-analyze",
                "verify",
                Path.Combine(folder, "arrakisd.service"),
                Path.Combine(folder, "arrakisd.socket"));

            Assert.DoesNotContain(said.Split('\n'), static line => line.Contains("arrakis", StringComparison.Ordinal));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [InlineData("arrakisd.service", "Type=notify")]
    [InlineData("arrakisd.service", "NotifyAccess=main")]
    [InlineData("arrakisd.service", "KillMode=process")]
    [InlineData("arrakisd.service", "Restart=always")]
    [InlineData("arrakisd.service", "RuntimeDirectoryPreserve=yes")]
    [InlineData("arrakisd.service", "ExecReload=/bin/kill -HUP $MAINPID")]
    [InlineData("arrakisd.socket", "ListenSequentialPacket=/run/arrakis/control.sock")]
    public async Task A_unit_has_this_setting_on_which_the_crash_rules_rest(string unit, string setting)
    {
        Assert.Contains(setting, (await ReadAsync(unit)).Split('\n'));
    }

    private static Task<string> ReadAsync(string unit) =>
        File.ReadAllTextAsync(Path.Combine(Checkout.Root, "packaging", "systemd", unit), TestContext.Current.CancellationToken);
}
