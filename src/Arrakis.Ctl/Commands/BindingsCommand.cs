using System.CommandLine;
using Arrakis.Contract.Control;
using Arrakis.Ctl.Output;

namespace Arrakis.Ctl.Commands;

/// <summary>Lists bindings.</summary>
internal static class BindingsCommand
{
    internal static Command Create(CommandFactory commands) => commands.Create("bindings", "Lists bindings: one's own, or all for an administrator.", static async session =>
    {
        IReadOnlyList<BindingDescription> bindings = await session.Client.ListBindingsAsync(session.Cancellation).ConfigureAwait(false);
        if (session.Json)
        {
            session.Terminal.WriteJson(bindings, IndentedJson.Contract.IReadOnlyListBindingDescription);
            return ExitCode.Ok;
        }

        var table = new TextTable("BINDING", "STATE", "LINK", "DEVICE", "VF", "MAC", "ADDRESS", "PAIRS", "MEMORY", "PID", "UID", "PROGRAM");
        foreach (BindingDescription binding in bindings)
        {
            table.Add(
                binding.BindingId,
                Units.Name(binding.State),
                Units.UpOrDown(binding.LinkUp),
                binding.Device,
                binding.VirtualFunction,
                binding.Mac,
                binding.Address?.ToString() ?? binding.Area,
                binding.QueuePairs,
                Units.Bytes(binding.MemoryLength),
                binding.ProcessId,
                binding.UserId,
                binding.Executable);
        }

        session.Terminal.Write(table, "There are no bindings.");
        return ExitCode.Ok;
    });
}
