using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Arrakis.Ctl.Commands;
using Arrakis.Ctl.Output;

namespace Arrakis.Ctl;

/// <summary>The command line as a whole.</summary>
internal static class ArrakisctlCommand
{
    internal static async Task<int> RunAsync(IReadOnlyList<string> arguments, Terminal terminal, CancellationToken cancellation = default)
    {
        var shared = new SharedOptions();
        RootCommand root = Create(shared, terminal);
        ParseResult parsed = root.Parse(arguments);
        if (parsed.Action is ParseErrorAction)
        {
            foreach (ParseError error in parsed.Errors)
            {
                terminal.WriteError(error.Message);
            }

            terminal.WriteError($"Try: {CommandPath(parsed.CommandResult)} --help");
            return (int)ExitCode.Usage;
        }

        var configuration = new InvocationConfiguration
        {
            Output = terminal.Output,
            Error = terminal.Error,
            EnableDefaultExceptionHandler = false,
        };
        return await parsed.InvokeAsync(configuration, cancellation).ConfigureAwait(false);
    }

    internal static RootCommand Create(SharedOptions shared, Terminal terminal)
    {
        var root = new RootCommand("Shows and administers what arrakisd has granted: devices, virtual functions, bindings, counters, storage areas.");
        root.Options.Add(shared.Json);
        root.Options.Add(shared.Socket);
        var commands = new CommandFactory(shared, terminal);
        root.Subcommands.Add(DevicesCommand.Create(commands));
        root.Subcommands.Add(FunctionsCommand.Create(commands));
        root.Subcommands.Add(BindingsCommand.Create(commands));
        root.Subcommands.Add(DescribeCommand.Create(commands));
        root.Subcommands.Add(CountersCommand.Create(commands));
        root.Subcommands.Add(RevokeCommand.Create(commands));
        root.Subcommands.Add(AreaCommand.Create(commands));
        root.Subcommands.Add(TestCommand.Create(commands));
        root.Subcommands.Add(BenchCommand.Create(commands));
        root.Subcommands.Add(DoctorCommand.Create(shared, terminal));
        root.Subcommands.Add(CompletionCommand.Create(terminal));
        foreach (Option option in root.Options)
        {
            if (option is HelpOption { Action: SynchronousCommandLineAction help })
            {
                option.Action = new HelpWithExitCodes(help);
            }
        }

        return root;
    }

    private static string CommandPath(CommandResult result)
    {
        var names = new Stack<string>();
        for (CommandResult? at = result; at is not null; at = at.Parent as CommandResult)
        {
            names.Push(at.Command is RootCommand ? "arrakisctl" : at.Command.Name);
        }

        return string.Join(' ', names);
    }

    private sealed class HelpWithExitCodes(SynchronousCommandLineAction help) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            int code = help.Invoke(parseResult);
            parseResult.InvocationConfiguration.Output.WriteLine(ExitCodes.Help);
            return code;
        }
    }
}
