using Arrakis.Contract;
using Arrakis.ControlPlane.Areas;
using Arrakis.ControlPlane.Areas.Export;
using Arrakis.Native.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Arrakis.ControlPlane.Tests.Areas.Export;

/// <summary>A device on a file, its catalogue, and its areas as files of a folder.</summary>
internal sealed class ExportBed : IDisposable
{
    internal const uint Owner = 4321;
    internal const uint Other = 4322;
    internal const int Mebi = 1 << 20;
    internal const int DeviceLength = 24 * Mebi;

    private const UnixFileMode ForAll = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    private readonly DirectDeviceFile _bytes;
    private AreaExport? _export;

    internal ExportBed()
    {
        Folder = Directory.CreateTempSubdirectory("arrakis-export-").FullName;
        File.SetUnixFileMode(Folder, ForAll);
        string path = Path.Combine(Folder, "device");
        using (FileStream file = File.Create(path))
        {
            file.SetLength(DeviceLength);
        }

        Device = DirectFile.Open(path);
        _bytes = new DirectDeviceFile(DirectFile.Open(path));
        Catalogue = AreaCatalogue.OpenOrCreate(new CataloguePlace(Path.Combine(Folder, "catalogue")), CatalogueGeometry.Of(4096, DeviceLength / 4096), Guid.NewGuid(), isZeroed: true);
        Areas = new ExportedDevices(() => [new ExportedDevice("soft0", Catalogue, _bytes)], name => Bound == name);
        Mount();
    }

    internal string Folder { get; }

    /// <summary>The folder of the areas.</summary>
    internal string FolderOfAreas => Path.Combine(Folder, "areas");

    internal AreaCatalogue Catalogue { get; }

    internal ExportedDevices Areas { get; }

    /// <summary>The device as an application's rings reach it.</summary>
    internal DirectFile Device { get; }

    /// <summary>The area that is bound by who may write it.</summary>
    internal string? Bound { get; set; }

    public void Dispose()
    {
        Unmount();
        Catalogue.Dispose();
        _bytes.Dispose();
        Device.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    internal void Mount() => _export = AreaExport.Start(FolderOfAreas, Areas, new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero), NullLogger.Instance);

    internal void Unmount()
    {
        _export?.Dispose();
        _export = null;
    }

    internal bool IsMounted() => File.ReadAllLines("/proc/self/mounts").Any(line => line.Split(' ')[1] == FolderOfAreas);

    /// <summary>An area of several extents with something between them.</summary>
    internal Area CreateInPieces(string name, uint owner)
    {
        Catalogue.Create(name, Mebi, owner);
        Catalogue.Create("between-1", Mebi, Other);
        Catalogue.Grow(name, 2 * Mebi);
        Catalogue.Create("between-2", 2 * Mebi, Other);
        Area area = Catalogue.Grow(name, 5 * Mebi);
        Assert.Equal(3, area.Extents.Length);
        return area;
    }

    /// <summary>An area's bytes as they are on the device.</summary>
    internal byte[] OnDevice(Area area)
    {
        byte[] bytes = new byte[area.BlockCount * 4096];
        long at = 0;
        foreach (BlockExtent extent in area.Extents)
        {
            Device.Read(bytes.AsSpan((int)at, (int)extent.Count * 4096), extent.Start * 4096);
            at += extent.Count * 4096;
        }

        return bytes;
    }
}
