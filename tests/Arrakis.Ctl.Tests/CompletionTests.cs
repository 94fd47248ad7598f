using System.Diagnostics;

namespace Arrakis.Ctl.Tests;

public sealed class CompletionTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData("", "devices functions bindings describe counters revoke area test bench doctor completion")]
    [InlineData("area ", "create grow delete list rename chown share unshare")]
    [InlineData("revoke 7 --v", "--visible")]
    [InlineData("completion ", "bash zsh fish")]
    public async Task The_directive_offers_commands_and_options(string typed, string expected)
    {
        Run run = await Run.OfAsync($"[suggest:{typed.Length}]", typed);

        Assert.Equal(0, run.Code);
        Assert.Empty(expected.Split(' ').Except(run.Output.Split('\n')));
    }

    [Fact]
    public async Task Without_a_daemon_there_are_no_ids_and_no_error()
    {
        const string Typed = "describe --socket /nowhere/control.sock ";
        Run run = await Run.OfAsync($"[suggest:{Typed.Length}]", Typed);

        Assert.Equal(0, run.Code);
        Assert.Equal("", run.Error);
    }

    [Theory]
    [InlineData("bash", "source <(arrakisctl completion bash); COMP_LINE='arrakisctl revoke '; COMP_POINT=18; COMP_WORDS=(arrakisctl revoke ''); COMP_CWORD=2; _arrakisctl; printf '%s\\n' \"${COMPREPLY[@]}\"", "7")]
    [InlineData("bash", "source <(arrakisctl completion bash); COMP_LINE='arrakisctl func'; COMP_POINT=15; COMP_WORDS=(arrakisctl func); COMP_CWORD=1; _arrakisctl; printf '%s\\n' \"${COMPREPLY[@]}\"", "functions")]
    [InlineData("bash", "source <(arrakisctl completion bash); COMP_LINE='arrakisctl counters --device '; COMP_POINT=29; COMP_WORDS=(arrakisctl counters --device ''); COMP_CWORD=3; _arrakisctl; printf '%s\\n' \"${COMPREPLY[@]}\"", "soft0")]
    [InlineData("bash", "source <(arrakisctl completion bash); COMP_LINE='arrakisctl area grow '; COMP_POINT=21; COMP_WORDS=(arrakisctl area grow ''); COMP_CWORD=3; _arrakisctl; printf '%s\\n' \"${COMPREPLY[@]}\"", "orders.log")]
    [InlineData("zsh", "compdef() { :; }; compadd() { printf '%s\\n' ${(P)2}; }; source <(arrakisctl completion zsh); words=(arrakisctl revoke ''); CURRENT=3; _arrakisctl", "7")]
    [InlineData("fish", "arrakisctl completion fish | source; complete -C 'arrakisctl revoke '", "7")]
    [InlineData("fish", "arrakisctl completion fish | source; complete -C 'arrakisctl func'", "functions")]
    public async Task A_shell_completes(string shell, string script, string expected)
    {
        await using var daemon = new FakeDaemon(Example.Answer);
        var start = new ProcessStartInfo(shell, ["-c", script]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["ARRAKIS_SOCKET"] = daemon.SocketPath;
        start.Environment["HOME"] = Path.GetDirectoryName(daemon.SocketPath);
        start.Environment["PATH"] = $"{AppContext.BaseDirectory}:{Environment.GetEnvironmentVariable("PATH")}";
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(s_patience, TestContext.Current.CancellationToken);

        Assert.Equal("", await error);
        Assert.Contains(expected, (await output).Split('\n').Select(static line => line.Split('\t')[0].Trim()));
    }
}
