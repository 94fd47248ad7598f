using Arrakis.Contract;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.Hosting;
using Arrakis.Native.Storage;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Arrakis.ControlPlane.Areas.Export;

/// <summary>Shows the areas of the devices whose files the daemon itself can open. That it cannot is no reason for it not to run.</summary>
internal sealed class AreaExportService(
    IOptions<DaemonOptions> options, AreaDirectory directory, Ledger ledger, TimeProvider time, ILogger<AreaExportService> logger) : IDisposable
{
    private readonly List<DirectDeviceFile> _files = [];
    private AreaExport? _export;

    /// <summary>Mounts the folder, where the configuration names one.</summary>
    internal void Start()
    {
        if (options.Value.Export is not { } wanted)
        {
            return;
        }

        try
        {
            IReadOnlyList<ExportedDevice> devices = [.. directory.Devices.Select(Open).OfType<ExportedDevice>()];
            _export = AreaExport.Start(wanted.Path, new ExportedDevices(() => devices, ledger.IsBoundForWriting), time.GetUtcNow(), logger);
            logger.LogInformation("Storage areas of {Devices} are files below {Path}.", devices.Count == 0 ? "no device" : string.Join(", ", devices.Select(static device => device.Name)), wanted.Path);
        }
        catch (ArrakisException e)
        {
            logger.LogError("{Fault} {Remedy}", e.Cause, e.Remedy);
        }
    }

    /// <summary>Unmounts it.</summary>
    public void Dispose()
    {
        _export?.Dispose();
        _export = null;
        foreach (DirectDeviceFile file in _files)
        {
            file.Dispose();
        }

        _files.Clear();
    }

    private ExportedDevice? Open(DeviceAreas areas)
    {
        string name = areas.Device.Options.Name;
        if (areas is not { Catalogue: { } catalogue, Device.Options: SoftBlockDeviceOptions device })
        {
            logger.LogInformation("Device {Device}: its storage areas are not shown as files; the daemon reaches it only through its rings.", name);
            return null;
        }

        try
        {
            var file = new DirectDeviceFile(DirectFile.Open(device.Blocks.File));
            _files.Add(file);
            return new ExportedDevice(name, catalogue, file);
        }
        catch (IOException e)
        {
            logger.LogError("Device {Device}: its storage areas are not shown as files: {Fault}", name, e.Message);
            return null;
        }
    }
}
