namespace Arrakis.Packaging.Tests;

public sealed class InstallTests(PackedCopy packed)
{
    [Fact]
    public async Task Make_install_puts_programs_units_completions_and_configuration_in_place()
    {
        string root = Path.Combine(packed.Source, "root");
        await Tool.RunAsync(packed.Source, Checkout.BuildEnvironment, "make", "install", $"DESTDIR={root}");

        Assert.All(
            (string[])
            [
                "usr/lib/arrakis/arrakisd",
                "usr/lib/arrakis/arrakis-softdevice",
                "usr/lib/arrakis/libarrakis_native.so",
                "usr/lib/systemd/system/arrakisd.service",
                "usr/lib/systemd/system/arrakisd.socket",
                "usr/lib/sysusers.d/arrakis.conf",
                "usr/share/bash-completion/completions/arrakisctl",
                "etc/arrakis/arrakisd.json",
            ],
            file => Assert.True(File.Exists(Path.Combine(root, file)), $"{file} is not installed."));
        Assert.Contains("0.1.0", await Tool.RunAsync(root, Checkout.BuildEnvironment, Path.Combine(root, "usr/bin/arrakisctl"), "--version"), StringComparison.Ordinal);

        string policy = Path.Combine(root, "etc/arrakis/policy.json");
        await File.WriteAllTextAsync(policy, "mine\n", TestContext.Current.CancellationToken);
        await Tool.RunAsync(packed.Source, Checkout.BuildEnvironment, Path.Combine(packed.Source, "scripts/install"), root);
        Assert.Equal("mine\n", await File.ReadAllTextAsync(policy, TestContext.Current.CancellationToken));
    }
}
