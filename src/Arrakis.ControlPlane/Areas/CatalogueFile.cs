using Arrakis.Native.Storage;
using Microsoft.Win32.SafeHandles;

namespace Arrakis.ControlPlane.Areas;

/// <summary>A catalogue's file of the machine's file system. It is locked while it is open.</summary>
internal sealed class CatalogueFile : ICatalogueFile
{
    private readonly FileStream _file;

    internal CatalogueFile(FileStream file) => _file = file;

    private SafeFileHandle Handle => _file.SafeFileHandle;

    /// <inheritdoc/>
    public int Read(Span<byte> buffer, long offset)
    {
        int total = 0;
        while (total < buffer.Length && RandomAccess.Read(Handle, buffer[total..], offset + total) is > 0 and int read)
        {
            total += read;
        }

        return total;
    }

    /// <inheritdoc/>
    public void Write(ReadOnlySpan<byte> bytes, long offset) => RandomAccess.Write(Handle, bytes, offset);

    /// <inheritdoc/>
    public void Flush() => RandomAccess.FlushToDisk(Handle);

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();
}

/// <summary>A path of the machine's file system.</summary>
internal sealed class CataloguePlace(string path) : ICataloguePlace
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly string _hidden = path + ".new";

    /// <inheritdoc/>
    public string Path => path;

    /// <inheritdoc/>
    public ICatalogueFile? Open()
    {
        try
        {
            return new CatalogueFile(new FileStream(path, new FileStreamOptions { Mode = FileMode.Open, Access = FileAccess.ReadWrite, Share = FileShare.None, BufferSize = 0 }));
        }
        catch (FileNotFoundException)
        {
            return null;
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException(e.Message, e);
        }
    }

    /// <inheritdoc/>
    public ICatalogueFile CreateHidden()
    {
        try
        {
            return new CatalogueFile(new FileStream(_hidden, new FileStreamOptions
            {
                Mode = FileMode.Create,
                Access = FileAccess.ReadWrite,
                Share = FileShare.None,
                BufferSize = 0,
                UnixCreateMode = OwnerOnly,
                PreallocationSize = CatalogueFormat.Copies * CatalogueFormat.CopyLength, // A full disk must not break a change later.
            }));
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException(e.Message, e);
        }
    }

    /// <inheritdoc/>
    public void Publish()
    {
        File.Move(_hidden, path, overwrite: false);
        string folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!;
        DirectoryFlush.Run(folder);
        if (System.IO.Path.GetDirectoryName(folder) is { } parent)
        {
            DirectoryFlush.Run(parent); // The folder may be as new as the file.
        }
    }
}
