using Arrakis.Contract;

namespace Arrakis.ControlPlane.Areas.Export;

/// <summary>A device whose areas are shown.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Catalogue">Its areas.</param>
/// <param name="File">Its bytes.</param>
internal sealed record ExportedDevice(string Name, AreaCatalogue Catalogue, IBlockFile File);

/// <summary>The areas of devices that the daemon itself reaches: a file, or a block device of the kernel's.</summary>
/// <param name="devices">The devices; asked each time, as they may come and go.</param>
/// <param name="isBoundForWriting">Whether a binding may write an area; looked at before each write.</param>
internal sealed class ExportedDevices(Func<IReadOnlyList<ExportedDevice>> devices, Func<string, bool> isBoundForWriting) : IExportedAreas
{
    /// <inheritdoc/>
    public IReadOnlyList<ExportedArea> List() =>
    [
        .. devices().SelectMany(static device => device.Catalogue.Areas.Select(area =>
            new ExportedArea(device.Name, area.Id, area.Name, area.Owner, area.SharedRead, area.BlockCount * device.Catalogue.Geometry.BlockSize))),
    ];

    /// <inheritdoc/>
    public IAreaReader? Open(ExportedArea area) =>
        devices().FirstOrDefault(device => device.Name == area.Device) is { } device && device.Catalogue.Find(area.Id) is not null
            ? new ExtentReader(device, area.Id, isBoundForWriting)
            : null;
}

/// <summary>Finds an area's bytes on its device. While it works on them the area cannot be deleted, so they are nobody else's.</summary>
internal sealed class ExtentReader(ExportedDevice device, ulong id, Func<string, bool> isBoundForWriting) : IAreaReader
{
    private const long ZeroStep = 64 << 20; // A deletion does not wait for longer than this takes.

    /// <inheritdoc/>
    public int Read(Span<byte> buffer, long offset)
    {
        using AreaCatalogue.Presence presence = device.Catalogue.Hold(id);
        int done = 0;
        while (done < buffer.Length && Find(presence.Area, offset + done) is { Length: > 0 } run)
        {
            int part = (int)Math.Min(run.Length, buffer.Length - done);
            device.File.Read(buffer.Slice(done, part), run.Start);
            done += part;
        }

        return done;
    }

    /// <inheritdoc/>
    public int Write(ReadOnlySpan<byte> bytes, long offset)
    {
        using AreaCatalogue.Presence presence = device.Catalogue.Hold(id);
        CheckUnbound(presence.Area);
        int done = 0;
        while (done < bytes.Length && Find(presence.Area, offset + done) is { Length: > 0 } run)
        {
            int part = (int)Math.Min(run.Length, bytes.Length - done);
            device.File.Write(bytes.Slice(done, part), run.Start);
            done += part;
        }

        return done;
    }

    /// <inheritdoc/>
    public void Zero(long offset, long length)
    {
        for (long end = offset + length; offset < end;)
        {
            using AreaCatalogue.Presence presence = device.Catalogue.Hold(id);
            CheckUnbound(presence.Area);
            (long start, long rest) = Find(presence.Area, offset);
            long part = Math.Min(Math.Min(rest, end - offset), ZeroStep);
            if (part == 0)
            {
                return;
            }

            device.File.Zero(start, part);
            offset += part;
        }
    }

    /// <inheritdoc/>
    public void Flush() => device.File.Flush();

    // Where a byte of the area is on the device, and how many follow it there; none past the area's end.
    private (long Start, long Length) Find(Area area, long offset)
    {
        long blockSize = device.Catalogue.Geometry.BlockSize;
        foreach (BlockExtent extent in area.Extents)
        {
            long length = extent.Count * blockSize;
            if (offset < length)
            {
                return (extent.Start * blockSize + offset, length - offset);
            }

            offset -= length;
        }

        return default;
    }

    private void CheckUnbound(Area area)
    {
        if (isBoundForWriting(area.Name))
        {
            throw new ArrakisException(ErrorCode.AreaInUse, $"Storage area '{area.Name}' is bound by who may write it.", "Write it after that binding has ended.");
        }
    }
}
