using Arrakis.Contract;

namespace Arrakis.ControlPlane.Areas.Export;

/// <summary>An area as the file system shows it.</summary>
/// <param name="Device">Its device.</param>
/// <param name="Id">Its number there: a name may go to another area.</param>
/// <param name="Name">Its name.</param>
/// <param name="Owner">Its owner.</param>
/// <param name="SharedRead">Whether others may read it.</param>
/// <param name="Length">Bytes.</param>
internal sealed record ExportedArea(string Device, ulong Id, string Name, uint Owner, bool SharedRead, long Length)
{
    /// <summary>Whether a user may use it so. Root may, as in every file system.</summary>
    internal bool Allows(uint user, AreaAccess access) => user == 0 || user == Owner || (access == AreaAccess.Read && SharedRead);
}

/// <summary>The areas that are shown as files. For any thread.</summary>
internal interface IExportedAreas
{
    /// <summary>All areas as they are now.</summary>
    IReadOnlyList<ExportedArea> List();

    /// <summary>The reader of an area; null where there is none of that number.</summary>
    IAreaReader? Open(ExportedArea area);
}

/// <summary>
/// Bytes of an area, from 0 on, as its device has them: what a completed write of anybody wrote is what the next read sees. For any thread.
/// Each call looks again whether the area is there, and throws <see cref="ErrorCode.UnknownArea"/> where it is deleted.
/// </summary>
internal interface IAreaReader
{
    /// <summary>Reads; fewer bytes only at the area's end.</summary>
    /// <exception cref="ArrakisException">It was deleted.</exception>
    /// <exception cref="IOException">The device did not do it.</exception>
    int Read(Span<byte> buffer, long offset);

    /// <summary>Writes; fewer bytes only at the area's end.</summary>
    /// <exception cref="ArrakisException">It was deleted, or is bound (<see cref="ErrorCode.AreaInUse"/>).</exception>
    /// <exception cref="IOException">The device did not do it.</exception>
    int Write(ReadOnlySpan<byte> bytes, long offset);

    /// <summary>Makes a part read as zeros.</summary>
    /// <exception cref="ArrakisException">It was deleted, or is bound (<see cref="ErrorCode.AreaInUse"/>).</exception>
    /// <exception cref="IOException">The device did not do it.</exception>
    void Zero(long offset, long length);

    /// <summary>Makes durable what was written.</summary>
    /// <exception cref="IOException">The device did not do it.</exception>
    void Flush();
}
