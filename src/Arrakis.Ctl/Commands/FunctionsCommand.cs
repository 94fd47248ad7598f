using System.CommandLine;
using Arrakis.Contract.Control;
using Arrakis.Ctl.Output;

namespace Arrakis.Ctl.Commands;

/// <summary>Lists virtual functions.</summary>
internal static class FunctionsCommand
{
    internal static Command Create(CommandFactory commands)
    {
        Option<string?> device = commands.DeviceNames.Option();
        Command command = commands.Create("functions", "Lists virtual functions and who holds them.", async session =>
        {
            IReadOnlyList<DeviceDescription> devices = await DevicesCommand.ReadAsync(session, session.CommandLine.GetValue(device)).ConfigureAwait(false);
            IReadOnlyList<BindingDescription> bindings = await session.Client.ListBindingsAsync(session.Cancellation).ConfigureAwait(false);
            FunctionRow[] rows = [.. Join(devices, bindings)];
            if (session.Json)
            {
                session.Terminal.WriteJson(rows, IndentedJson.Ctl.FunctionRowArray);
                return ExitCode.Ok;
            }

            var table = new TextTable("DEVICE", "VF", "GENERATION", "BINDING", "MAC", "ADDRESS", "PID", "PROGRAM");
            foreach (FunctionRow row in rows)
            {
                table.Add(row.Device, row.Index, row.Generation, row.BindingId, row.Mac, row.Address, row.ProcessId, row.Executable);
            }

            session.Terminal.Write(table, "There is no virtual function that you may see.");
            return ExitCode.Ok;
        });
        command.Options.Add(device);
        return command;
    }

    private static IEnumerable<FunctionRow> Join(IReadOnlyList<DeviceDescription> devices, IReadOnlyList<BindingDescription> bindings)
    {
        Dictionary<ulong, BindingDescription> byId = bindings.ToDictionary(static b => b.BindingId);
        foreach (DeviceDescription device in devices)
        {
            foreach (VirtualFunctionDescription function in device.VirtualFunctions)
            {
                // Who holds a function is told only to those who may list its binding.
                BindingDescription? binding = function.BindingId is { } id ? byId.GetValueOrDefault(id) : null;
                yield return new FunctionRow(
                    device.Name,
                    function.Index,
                    function.Generation,
                    function.BindingId,
                    binding?.Mac?.ToString(),
                    binding?.Address?.ToString(),
                    binding?.ProcessId,
                    binding?.Executable);
            }
        }
    }
}
