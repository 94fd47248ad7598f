using System.CommandLine;
using Arrakis.Contract.Control;
using Arrakis.Ctl.Output;

namespace Arrakis.Ctl.Commands;

/// <summary>Lists devices.</summary>
internal static class DevicesCommand
{
    internal static Command Create(CommandFactory commands) => commands.Create("devices", "Lists devices and how many of their virtual functions are bound.", static async session =>
    {
        IReadOnlyList<DeviceDescription> devices = await session.Client.ListDevicesAsync(session.Cancellation).ConfigureAwait(false);
        if (session.Json)
        {
            session.Terminal.WriteJson(devices, IndentedJson.Contract.IReadOnlyListDeviceDescription);
            return ExitCode.Ok;
        }

        var table = new TextTable("DEVICE", "KIND", "STATE", "FUNCTIONS", "BOUND", "UPLINK", "PID", "RESTARTS");
        foreach (DeviceDescription device in devices)
        {
            table.Add(
                device.Name,
                device.Kind,
                device.Up ? "up" : "down",
                device.VirtualFunctions.Count,
                device.VirtualFunctions.Count(static f => f.BindingId is not null),
                device.Uplink,
                device.ProcessId,
                device.Restarts);
        }

        session.Terminal.Write(table, "There is no device that you may see: the daemon's configuration names devices, its policy who may use them.");
        return ExitCode.Ok;
    });

    /// <summary>The devices, or only the one that is named.</summary>
    internal static async Task<IReadOnlyList<DeviceDescription>> ReadAsync(Session session, string? name)
    {
        IReadOnlyList<DeviceDescription> devices = await session.Client.ListDevicesAsync(session.Cancellation).ConfigureAwait(false);
        if (name is null)
        {
            return devices;
        }

        DeviceDescription[] named = [.. devices.Where(d => d.Name == name)];
        return named is not []
            ? named
            : throw new Contract.ArrakisException(
                Contract.ErrorCode.UnknownDevice,
                $"There is no device '{name}' that you may see.",
                devices.Count == 0 ? "The policy shows you none." : $"There are: {string.Join(", ", devices.Select(static d => d.Name))}.");
    }
}
