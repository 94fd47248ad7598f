using System.CommandLine;
using Arrakis.Contract;
using Arrakis.Ctl.Output;

namespace Arrakis.Ctl.Commands;

/// <summary>A command's run: the daemon, the command line, and where to write.</summary>
internal sealed record Session(ArrakisClient Client, ParseResult CommandLine, Terminal Terminal, bool Json, CancellationToken Cancellation);

/// <summary>Makes commands that talk to the daemon: connects, runs, and turns errors into messages and exit codes.</summary>
internal sealed class CommandFactory(SharedOptions shared, Terminal terminal)
{
    internal BindingIds BindingIds { get; } = new(shared);

    internal DeviceNames DeviceNames { get; } = new(shared);

    internal AreaNames AreaNames { get; } = new(shared);

    internal Command Create(string name, string description, Func<Session, Task<ExitCode>> run)
    {
        var command = new Command(name, description);
        command.SetAction(async (parsed, cancellation) => (int)await RunAsync(parsed, run, cancellation).ConfigureAwait(false));
        return command;
    }

    private async Task<ExitCode> RunAsync(ParseResult parsed, Func<Session, Task<ExitCode>> run, CancellationToken cancellation)
    {
        bool json = parsed.GetValue(shared.Json);
        try
        {
            ArrakisClient client = await ArrakisClient.ConnectAsync(parsed.GetValue(shared.Socket), cancellation).ConfigureAwait(false);
            await using (client.ConfigureAwait(false))
            {
                return await run(new Session(client, parsed, terminal, json, cancellation)).ConfigureAwait(false);
            }
        }
        catch (ArrakisException e)
        {
            ExitCode code = ExitCodes.Of(e.Code);
            terminal.WriteError(e, code, json);
            return code;
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            return ExitCode.Interrupted;
        }
    }
}
