using System.CommandLine;
using Arrakis.Contract.Control;

namespace Arrakis.Ctl.Commands;

/// <summary>Options that every command has.</summary>
internal sealed class SharedOptions
{
    internal Option<bool> Json { get; } = new("--json")
    {
        Description = "Writes JSON in place of tables; errors too, on standard error.",
        Recursive = true,
    };

    internal Option<string?> Socket { get; } = new("--socket")
    {
        Description = $"The control socket; otherwise the one that {ControlProtocol.SocketPathVariable} names, else {ControlProtocol.DefaultSocketPath}.",
        HelpName = "path",
        Recursive = true,
    };
}
