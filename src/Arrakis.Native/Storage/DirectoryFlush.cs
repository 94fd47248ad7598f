using Tmds.Linux;

namespace Arrakis.Native.Storage;

/// <summary>Makes a folder's entries durable: a file that was made or renamed is found again after a power cut (fsync(2), Notes).</summary>
public static class DirectoryFlush
{
    /// <summary>Flushes a folder.</summary>
    /// <exception cref="IOException">It is not there, or its device did not do it.</exception>
    public static void Run(string path)
    {
        try
        {
            using Descriptor folder = Descriptor.Open(path, LibC.O_RDONLY | LibC.O_DIRECTORY);
            LinuxException.ThrowIfNegative(LibC.fsync(folder.Number), $"fsync({path})");
        }
        catch (LinuxException e)
        {
            throw new IOException(e.Message, e);
        }
    }
}
