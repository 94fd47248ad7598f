using System.CommandLine;
using Arrakis.Ctl.Output;

namespace Arrakis.Ctl.Commands;

/// <summary>Prints the script that teaches a shell to complete the command line. The script asks arrakisctl's [suggest] directive.</summary>
internal static class CompletionCommand
{
    // What the directive gets is the command line behind the command's own name, up to the cursor.
    private const string Bash = """
        _arrakisctl() {
            local line=${COMP_LINE:0:COMP_POINT}
            line=${line#*[[:space:]]}
            mapfile -t COMPREPLY < <(compgen -W "$(arrakisctl "[suggest:${#line}]" "$line" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}")
        }
        complete -F _arrakisctl arrakisctl
        """;

    private const string Zsh = """
        #compdef arrakisctl
        _arrakisctl() {
            local line="${(j: :)${(@)words[2,CURRENT]}}"
            local -a offers
            offers=("${(@f)$(arrakisctl "[suggest:${#line}]" "$line" 2>/dev/null)}")
            compadd -a offers
        }
        compdef _arrakisctl arrakisctl
        """;

    private const string Fish = """
        function __arrakisctl_complete
            set -l line (commandline -cp | string replace -r '^\s*\S+\s' '')
            arrakisctl "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null
        end
        complete -c arrakisctl -f -a '(__arrakisctl_complete)'
        """;

    internal static Command Create(Terminal terminal)
    {
        var shell = new Argument<string>("shell") { Description = "bash, zsh or fish." };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var command = new Command("completion", "Prints a script for the shell, for example: source <(arrakisctl completion bash)");
        command.Arguments.Add(shell);
        command.SetAction(parsed => terminal.Output.WriteLine(parsed.GetValue(shell) switch
        {
            "zsh" => Zsh,
            "fish" => Fish,
            _ => Bash,
        }));
        return command;
    }
}
