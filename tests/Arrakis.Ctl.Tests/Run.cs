using Arrakis.Contract.Control;
using Arrakis.Ctl.Output;

namespace Arrakis.Ctl.Tests;

/// <summary>What a run of arrakisctl wrote and ended with.</summary>
internal sealed record Run(int Code, string Output, string Error)
{
    internal static Task<Run> AgainstExampleAsync(params string[] arguments) => AgainstAsync(Example.Answer, arguments);

    internal static async Task<Run> AgainstAsync(Func<ControlRequest, ControlReply> answer, params string[] arguments)
    {
        await using var daemon = new FakeDaemon(answer);
        return await OfAsync([.. arguments, "--socket", daemon.SocketPath]);
    }

    internal static async Task<Run> OfAsync(params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        using var terminal = new Terminal(output, error, isInteractive: false);
        int code = await ArrakisctlCommand.RunAsync(arguments, terminal, TestContext.Current.CancellationToken);
        return new Run(code, Trim(output), Trim(error));
    }

    // Cells are padded up to their column's width.
    private static string Trim(StringWriter writer) => string.Join('\n', writer.ToString().Split('\n').Select(static line => line.TrimEnd())).TrimEnd();
}
