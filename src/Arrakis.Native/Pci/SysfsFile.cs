using System.Globalization;
using System.Text;
using Tmds.Linux;

namespace Arrakis.Native.Pci;

/// <summary>Reads and writes attributes of sysfs: short texts, one value each (Documentation/filesystems/sysfs.rst).</summary>
public static class SysfsFile
{
    private const int MaxLength = 4096; // A page: what the kernel gives for an attribute.
    private const int MaxNameLength = 255; // NAME_MAX

    /// <summary>The text without the line's end; null where there is no such file.</summary>
    /// <exception cref="SysfsException">It cannot be read, or holds what it must not.</exception>
    public static string? TryReadText(string path)
    {
        Span<byte> buffer = stackalloc byte[MaxLength];
        int length;
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
            length = file.ReadAtLeast(buffer, MaxLength, throwOnEndOfStream: false);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SysfsException(path, $"cannot be read ({e.Message})", e);
        }

        ReadOnlySpan<byte> text = buffer[..length];
        foreach (byte value in text)
        {
            if (value is not ((>= (byte)' ' and <= (byte)'~') or (byte)'\n' or (byte)'\t'))
            {
                throw new SysfsException(path, $"holds the octet 0x{value:x2}, which no such text has");
            }
        }

        return Encoding.ASCII.GetString(text).TrimEnd('\n');
    }

    /// <summary>The text without the line's end.</summary>
    /// <exception cref="SysfsException">It is not there, cannot be read, or holds what it must not.</exception>
    public static string ReadText(string path) => TryReadText(path) ?? throw new SysfsException(path, "is not there");

    /// <summary>A number of the form 0x8086.</summary>
    /// <exception cref="SysfsException">It cannot be read, or holds what it must not.</exception>
    public static uint ReadHex(string path, uint max)
    {
        string text = ReadText(path);
        return text.StartsWith("0x", StringComparison.Ordinal)
            && uint.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint value)
            && value <= max
            ? value
            : throw new SysfsException(path, $"holds '{text}', not a hexadecimal number up to 0x{max:x}");
    }

    /// <summary>A decimal number; null where there is no such file.</summary>
    /// <exception cref="SysfsException">It cannot be read, or holds what it must not.</exception>
    public static int? TryReadNumber(string path, int min, int max)
    {
        string? text = TryReadText(path);
        return text is null
            ? null
            : int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) && value >= min && value <= max
                ? value
                : throw new SysfsException(path, $"holds '{text}', not a number from {min} to {max}");
    }

    /// <summary>The last part of where a link leads; null where there is no such link.</summary>
    /// <exception cref="SysfsException">It cannot be read, or holds what it must not.</exception>
    public static string? TryReadLinkName(string path)
    {
        return TryResolve(path) is { } target
            ? Path.GetFileName(target) is { Length: > 0 and <= MaxNameLength } name
                ? name
                : throw new SysfsException(path, $"leads to '{target}', which has no name")
            : null;
    }

    /// <summary>The PCI function that a link leads to; null where there is no such link.</summary>
    /// <exception cref="SysfsException">It cannot be read, or holds what it must not.</exception>
    public static PciAddress? TryReadAddress(string path) =>
        TryReadLinkName(path) is not { } name
            ? null
            : PciAddress.TryParse(name, out PciAddress address)
                ? address
                : throw new SysfsException(path, $"leads to '{name}', which is no PCI function");

    /// <summary>Where a link of sysfs leads, from the root on; null where there is no such link.</summary>
    /// <exception cref="SysfsException">It cannot be read.</exception>
    public static string? TryResolve(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget is { } target ? Path.GetFullPath(target, Path.GetDirectoryName(Path.GetFullPath(path))!) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SysfsException(path, $"cannot be read ({e.Message})", e);
        }
    }

    /// <summary>Names of what is in a folder, ordered; none where there is no such folder.</summary>
    /// <exception cref="SysfsException">It cannot be read, or holds what it must not.</exception>
    public static string[] Names(string folder, string pattern = "*")
    {
        try
        {
            string[] names = [.. Directory.EnumerateFileSystemEntries(folder, pattern).Select(static path => Path.GetFileName(path))];
            Array.Sort(names, StringComparer.Ordinal);
            return names;
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SysfsException(folder, $"cannot be read ({e.Message})", e);
        }
    }

    /// <summary>Writes a value with one write(2), as the kernel takes it. Returns when the kernel has done what it asks for.</summary>
    /// <exception cref="LinuxException">There is no such attribute, or the kernel or a driver refuses the value.</exception>
    public static unsafe void Write(string path, string value)
    {
        byte[] name = Encoding.UTF8.GetBytes(path + "\0");
        byte[] text = Encoding.ASCII.GetBytes(value + "\n");
        int number;
        fixed (byte* start = name)
        {
            number = LibC.open(start, LibC.O_WRONLY | LibC.O_CLOEXEC);
        }

        LinuxException.ThrowIfNegative(number, $"open({path})");
        using var descriptor = new Descriptor(number);
        fixed (byte* start = text)
        {
            LinuxException.ThrowIfNegative((long)LibC.write(number, start, text.Length), $"write({path}, {value})");
        }
    }
}
