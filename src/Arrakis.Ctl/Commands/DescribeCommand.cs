using System.CommandLine;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Ctl.Output;

namespace Arrakis.Ctl.Commands;

/// <summary>Describes one binding.</summary>
internal static class DescribeCommand
{
    internal static Command Create(CommandFactory commands)
    {
        Argument<ulong> id = commands.BindingIds.Argument();
        Command command = commands.Create("describe", "Describes one binding.", async session =>
        {
            BindingDescription binding = await session.Client.DescribeAsync(session.CommandLine.GetValue(id), session.Cancellation).ConfigureAwait(false);
            if (session.Json)
            {
                session.Terminal.WriteJson(binding, IndentedJson.Contract.BindingDescription);
                return ExitCode.Ok;
            }

            session.Terminal.Write(Describe(binding), "");
            return ExitCode.Ok;
        });
        command.Arguments.Add(id);
        return command;
    }

    private static TextTable Describe(BindingDescription binding)
    {
        var table = new TextTable("BINDING", binding.BindingId.ToString(null, null));
        table.Add("generation", binding.Generation);
        table.Add("state", Units.Name(binding.State));
        table.Add("link", Units.UpOrDown(binding.LinkUp));
        table.Add("device", binding.Device);
        table.Add("virtual function", binding.VirtualFunction);
        if (binding.Area is { } area)
        {
            table.Add("storage area", area);
            table.Add("access", binding.Access == AreaAccess.Read ? "read" : "read and write");
            table.Add("queues", binding.QueuePairs);
        }
        else
        {
            table.Add("MAC address", binding.Mac);
            table.Add("IPv4 address", binding.Address);
            table.Add("queue pairs", binding.QueuePairs);
        }

        table.Add("queue memory", $"{Units.Bytes(binding.MemoryLength)} in pages of {Units.Bytes(binding.PageSize)}");
        if (binding.Area is null)
        {
            table.Add("sending limit", binding.Rate is { } rate ? $"{Units.BitsPerSecond(rate.BitsPerSecond)}, bursts of {Units.Bytes(rate.BurstBytes)}" : "none");
        }

        table.Add("process", binding.ProcessId);
        table.Add("user", binding.UserId);
        table.Add("program", binding.Executable);
        table.Add("bound at", Units.Time(binding.BoundAt));
        if (binding.DmaFaults > 0)
        {
            table.Add("blocked by the IOMMU", $"{binding.DmaFaults} accesses at least");
        }

        return table;
    }
}
