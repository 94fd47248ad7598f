using System.Diagnostics;
using System.Globalization;

namespace Arrakis.Interop.Tests;

/// <summary>The machine in which the hardware tests run, seen from outside: scripts/lab/boot. Inside, Arrakis.Hardware.Tests test it.</summary>
[Trait("needs", "lab")]
public sealed class LabTests : IDisposable
{
    private const int Ended = 124;
    private const int NoEnd = 125;

    // The build's output is artifacts/build/bin/PROJECT/CONFIGURATION.
    private static readonly string s_root = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../../.."));
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(5);

    private readonly DirectoryInfo _temporary = Directory.CreateTempSubdirectory("arrakis-lab-test");

    [Fact]
    public async Task A_shell_has_the_built_programs_and_its_code_comes_back()
    {
        (int code, string output, string _) = await BootAsync("arrakisctl --version && exit 7\n");

        Assert.Equal(7, code);
        Assert.Contains(typeof(Contract.ArrakisException).Assembly.GetName().Version!.ToString(3), output, StringComparison.Ordinal);
        AssertNothingIsLeft();
    }

    [Fact]
    public async Task A_machine_that_hangs_is_ended_and_its_console_is_shown()
    {
        (int code, string _, string errors) = await BootAsync("", "--limit", "15", "--", "sleep", "1000");

        Assert.Equal(Ended, code);
        Assert.Contains("Booting from ROM", errors, StringComparison.Ordinal);
        Assert.Contains("did not come to an end within 15 s", errors, StringComparison.Ordinal);
        AssertNothingIsLeft();
    }

    [Fact]
    public async Task A_kernel_that_panics_is_reported_in_its_own_words()
    {
        (int code, string _, string errors) = await BootAsync("", "--limit", "120", "--", "sh", "-c", "echo c >/proc/sysrq-trigger");

        Assert.Equal(NoEnd, code);
        Assert.Contains("Kernel panic - not syncing: sysrq triggered crash", errors, StringComparison.Ordinal);
        AssertNothingIsLeft();
    }

    public void Dispose() => _temporary.Delete(recursive: true);

    private async Task<(int Code, string Output, string Errors)> BootAsync(string input, params string[] arguments)
    {
        string configuration = new DirectoryInfo(AppContext.BaseDirectory).Name;
        var start = new ProcessStartInfo(Path.Combine(s_root, "scripts/lab/boot"), ["--configuration", configuration, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["TMPDIR"] = _temporary.FullName;
        using Process process = Process.Start(start)!;
        try
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            Task<string> errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            await process.StandardInput.WriteAsync(input.AsMemory(), TestContext.Current.CancellationToken);
            await process.StandardInput.FlushAsync(TestContext.Current.CancellationToken);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(s_patience, TestContext.Current.CancellationToken);
            return (process.ExitCode, await output, await errors);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }

    private void AssertNothingIsLeft()
    {
        Assert.Empty(_temporary.EnumerateFileSystemInfos());
        Assert.DoesNotContain(Process.GetProcessesByName("qemu-system-x86"), process => CommandLine(process.Id).Contains(_temporary.FullName, StringComparison.Ordinal));
    }

    private static string CommandLine(int process)
    {
        try
        {
            return File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/cmdline"));
        }
        catch (IOException)
        {
            return ""; // It has ended meanwhile.
        }
    }
}
