using Arrakis.ControlPlane.Tests.Ctl;
using Arrakis.TestBed.Daemon;

namespace Arrakis.ControlPlane.Tests.ControlSocket;

public sealed class ImpostorTests
{
    [Fact]
    public async Task A_program_that_is_mounted_over_an_allowed_one_is_not_the_allowed_one()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        string folder = Directory.CreateTempSubdirectory("arrakis-impostor-").FullName;
        try
        {
            string real = Copy(Path.Combine(folder, "real"));
            string other = Copy(Path.Combine(folder, "other"));
            await using DaemonProcess daemon = await DaemonProcess.StartAsync(
                new DaemonSetup
                {
                    Policy = $$"""
                        { "rules": [
                          { "name": "tests", "executable": "{{Environment.ProcessPath}}", "devices": ["*"] },
                          { "name": "tool", "executable": "{{real}}", "devices": ["*"] } ] }
                        """,
                },
                cancellation);

            CtlRun allowed = await CtlRun.StartAsync(real, ["--socket", daemon.ControlSocket, "devices"]);
            Assert.Equal("", allowed.Error);
            Assert.Contains("soft0", allowed.Output, StringComparison.Ordinal);
            CtlRun stranger = await CtlRun.StartAsync(other, ["--socket", daemon.ControlSocket, "devices"]);
            Assert.DoesNotContain("soft0", stranger.Output, StringComparison.Ordinal);
            CtlRun impostor = await CtlRun.StartAsync(
                "unshare", ["-m", "sh", "-c", $"mount --bind {Path.GetDirectoryName(other)} {Path.GetDirectoryName(real)} && exec {real} --socket {daemon.ControlSocket} devices"]);
            Assert.Equal(0, impostor.Code);
            Assert.DoesNotContain("soft0", impostor.Output, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Copy(string target)
    {
        string source = Path.GetDirectoryName(Programs.Control)!;
        foreach (string file in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(target, Path.GetRelativePath(source, file));
            _ = Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        return Path.Combine(target, Path.GetFileName(Programs.Control));
    }
}
