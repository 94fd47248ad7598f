using System.CommandLine;
using System.Globalization;
using Arrakis.Contract.Control;
using Arrakis.Ctl.Output;

namespace Arrakis.Ctl.Commands;

/// <summary>Shows counters.</summary>
internal static class CountersCommand
{
    internal static Command Create(CommandFactory commands)
    {
        Option<string?> device = commands.DeviceNames.Option();
        Command command = commands.Create("counters", "Shows the counters of every port, seen from the switch, and of every block function.", async session =>
        {
            IReadOnlyList<DeviceDescription> devices = await DevicesCommand.ReadAsync(session, session.CommandLine.GetValue(device)).ConfigureAwait(false);
            CounterRow[] rows = [.. devices.SelectMany(Rows)];
            if (session.Json)
            {
                session.Terminal.WriteJson(rows, IndentedJson.Ctl.CounterRowArray);
                return ExitCode.Ok;
            }

            var table = new TextTable("DEVICE", "PORT", "FRAMES IN", "BYTES IN", "FRAMES OUT", "BYTES OUT", "DROPS");
            foreach (PortCounterRow row in rows.OfType<PortCounterRow>())
            {
                table.Add(row.Device, row.Port, row.FramesIn, row.BytesIn, row.FramesOut, row.BytesOut, ByReason(row.Drops));
            }

            var blocks = new TextTable("DEVICE", "PORT", "READS", "BYTES READ", "WRITES", "BYTES WRITTEN", "FLUSHES", "DISCARDS", "ZEROES", "ERRORS", "REFUSALS");
            foreach (BlockCounterRow row in rows.OfType<BlockCounterRow>())
            {
                blocks.Add(row.Device, row.Port, row.Reads, row.BytesRead, row.Writes, row.BytesWritten, row.Flushes, row.Discards, row.WriteZeroes, row.Errors, ByReason(row.Refusals));
            }

            if (blocks.IsEmpty || !table.IsEmpty)
            {
                session.Terminal.Write(table, "There is no port that you may see.");
            }

            if (!blocks.IsEmpty)
            {
                if (!table.IsEmpty)
                {
                    session.Terminal.Output.WriteLine();
                }

                session.Terminal.Write(blocks, "");
            }

            return ExitCode.Ok;
        });
        command.Options.Add(device);
        return command;
    }

    private static IEnumerable<CounterRow> Rows(DeviceDescription device)
    {
        foreach (VirtualFunctionDescription function in device.VirtualFunctions)
        {
            yield return function.BlockCounters is { } blocks
                ? BlockCounterRow.Of(device.Name, $"blk{function.Index}", blocks)
                : PortCounterRow.Of(device.Name, $"vf{function.Index}", function.Counters);
        }

        foreach ((string port, PortCounters counters) in device.Ports.OrderBy(static p => p.Key, StringComparer.Ordinal))
        {
            yield return PortCounterRow.Of(device.Name, port, counters);
        }
    }

    private static string ByReason(IReadOnlyDictionary<string, long> counts) =>
        string.Join(' ', counts.Where(static c => c.Value != 0).Select(static c => string.Create(CultureInfo.InvariantCulture, $"{c.Key}={c.Value}")));
}
