namespace Arrakis.Native.Pci;

/// <summary>A file of sysfs is not there, cannot be read, or holds what it must not.</summary>
public sealed class SysfsException : IOException
{
    /// <summary>Makes an exception that names no file.</summary>
    public SysfsException()
        : this("", "cannot be used")
    {
    }

    /// <summary>Makes an exception that names no file.</summary>
    public SysfsException(string message)
        : base(message)
    {
    }

    /// <summary>Makes an exception that names no file.</summary>
    public SysfsException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Makes an exception.</summary>
    /// <param name="path">The file.</param>
    /// <param name="fault">What is wrong with it, as the rest of a sentence.</param>
    /// <param name="innerException">What led to it.</param>
    public SysfsException(string path, string fault, Exception? innerException = null)
        : base($"{path} {fault}.", innerException)
    {
        Path = path;
    }

    /// <summary>The file.</summary>
    public string Path { get; } = "";
}
