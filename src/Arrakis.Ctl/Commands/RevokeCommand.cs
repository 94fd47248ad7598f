using System.CommandLine;
using System.Globalization;
using Arrakis.Contract.Control;
using Arrakis.Ctl.Output;

namespace Arrakis.Ctl.Commands;

/// <summary>Takes a binding back.</summary>
internal static class RevokeCommand
{
    internal static Command Create(CommandFactory commands)
    {
        Argument<ulong> id = commands.BindingIds.Argument();
        var visible = new Option<bool>("--visible") { Description = "Asks the holder first; past the deadline the binding is taken by force." };
        Option<TimeSpan> deadline = Durations.Option("--deadline", "Time that the holder has; needs --visible.", TimeSpan.FromSeconds(1));
        Command command = commands.Create("revoke", "Takes a binding back at once, or visibly with a deadline (administrators).", async session =>
        {
            ulong binding = session.CommandLine.GetValue(id);
            RevocationMode mode = session.CommandLine.GetValue(visible) ? RevocationMode.Visible : RevocationMode.Invisible;
            await session.Client.RevokeAsync(binding, mode, session.CommandLine.GetValue(deadline), session.Cancellation).ConfigureAwait(false);
            if (session.Json)
            {
                session.Terminal.WriteJson(new RevocationRow(binding, mode), IndentedJson.Ctl.RevocationRow);
            }
            else
            {
                session.Terminal.Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Binding {binding} is revoked."));
            }

            return ExitCode.Ok;
        });
        command.Arguments.Add(id);
        command.Options.Add(visible);
        command.Options.Add(deadline);
        command.Validators.Add(result =>
        {
            if (result.GetResult(deadline) is { Implicit: false } && !result.GetValue(visible))
            {
                result.AddError("--deadline needs --visible: an invisible revocation does not wait.");
            }
        });
        return command;
    }
}
