using System.Diagnostics;
using System.Globalization;

namespace Arrakis.Interop.Tests;

/// <summary>The machine in which the hardware tests run, seen from outside: scripts/lab/boot. Inside, Arrakis.Hardware.Tests test it.</summary>
[Trait("needs", "lab")]
public sealed class LabTests : IDisposable
{
    private const int Ended = 124;
    private const int NoEnd = 125;
    private const string Rehearsed = "Arrakis.Hardware.Tests.Rehearsal.";

    // The build's output is artifacts/build/bin/PROJECT/CONFIGURATION.
    private static readonly string s_root = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../../.."));
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(5);

    private static string Configuration => new DirectoryInfo(AppContext.BaseDirectory).Name;

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

    [Fact]
    public async Task What_a_stopped_machine_leaves_without_a_result_runs_in_another_and_a_failed_test_does_not()
    {
        string result = Path.Combine(_temporary.FullName, "result");
        (int code, string output, string errors) = await RunAsync("run-tests", "", Configuration, "rehearsal", result, "-noLogo", "-noColor");

        Assert.Equal(1, code);
        Assert.Equal(2, errors.Split("processor 1 of the machine stood still for 8 s").Length - 1);
        Assert.Contains("CPU#1", errors, StringComparison.Ordinal); // What QEMU says the processors were at.
        string[] lines = [.. output.Split('\n').Where(static line => line.StartsWith("run-tests:", StringComparison.Ordinal))];
        Assert.Equal(
            [
                $"run-tests: a test of {Rehearsed}ClassThatHasFailedTests failed before the machine stopped; it is not repeated:",
                $"run-tests: boot 1 ended with code 123; without a result: {Rehearsed}ClassThatIsInterruptedTests",
                $"run-tests: the machine stopped in {Rehearsed}ClassThatIsInterruptedTests",
                $"run-tests: boot 2 ended with code 123; without a result: {Rehearsed}ClassThatIsInterruptedTests",
            ],
            lines);
        Assert.Equal(
            [$"{Rehearsed}ClassThatHasEndedTests.trx", $"{Rehearsed}ClassThatIsInterruptedTests.trx"],
            Directory.GetFiles(result, "*.trx").Select(Path.GetFileName).Order());
        Assert.All(Directory.GetFiles(result, "*.trx"), static file => Assert.Contains("passed=\"1\" failed=\"0\"", File.ReadAllText(file), StringComparison.Ordinal));
        Assert.Contains("Its_failure_counts [FAIL]", await File.ReadAllTextAsync(Path.Combine(result, $"{Rehearsed}ClassThatHasFailedTests.log"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Directory.Delete(result, recursive: true);
        AssertNothingIsLeft();
    }

    public void Dispose() => _temporary.Delete(recursive: true);

    private Task<(int Code, string Output, string Errors)> BootAsync(string input, params string[] arguments) =>
        RunAsync("boot", input, ["--configuration", Configuration, .. arguments]);

    private async Task<(int Code, string Output, string Errors)> RunAsync(string script, string input, params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(s_root, "scripts/lab", script), arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["TMPDIR"] = _temporary.FullName;
        start.Environment["LAB_PATIENCE"] = "8";
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
