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
        Command command = commands.Create("counters", "Shows the counters of every port, seen from the switch.", async session =>
        {
            IReadOnlyList<DeviceDescription> devices = await DevicesCommand.ReadAsync(session, session.CommandLine.GetValue(device)).ConfigureAwait(false);
            CounterRow[] rows = [.. devices.SelectMany(Rows)];
            if (session.Json)
            {
                session.Terminal.WriteJson(rows, IndentedJson.Ctl.CounterRowArray);
                return ExitCode.Ok;
            }

            var table = new TextTable("DEVICE", "PORT", "FRAMES IN", "BYTES IN", "FRAMES OUT", "BYTES OUT", "DROPS");
            foreach (CounterRow row in rows)
            {
                table.Add(row.Device, row.Port, row.FramesIn, row.BytesIn, row.FramesOut, row.BytesOut, Drops(row.Drops));
            }

            session.Terminal.Write(table, "There is no port that you may see.");
            return ExitCode.Ok;
        });
        command.Options.Add(device);
        return command;
    }

    private static IEnumerable<CounterRow> Rows(DeviceDescription device)
    {
        foreach (VirtualFunctionDescription function in device.VirtualFunctions)
        {
            yield return CounterRow.Of(device.Name, $"vf{function.Index}", function.Counters);
        }

        foreach ((string port, PortCounters counters) in device.Ports.OrderBy(static p => p.Key, StringComparer.Ordinal))
        {
            yield return CounterRow.Of(device.Name, port, counters);
        }
    }

    private static string Drops(IReadOnlyDictionary<string, long> drops) =>
        string.Join(' ', drops.Where(static d => d.Value != 0).Select(static d => string.Create(CultureInfo.InvariantCulture, $"{d.Key}={d.Value}")));
}
