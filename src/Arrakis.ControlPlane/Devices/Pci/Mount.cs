using System.Text;
using Arrakis.Native.Pci;

namespace Arrakis.ControlPlane.Devices.Pci;

/// <summary>A mounted file system (proc_pid_mountinfo(5)).</summary>
/// <param name="DeviceNumber">Major and minor number, such as 259:1.</param>
/// <param name="Point">Where it is mounted.</param>
/// <param name="Source">What is mounted there, as the file system names it.</param>
internal readonly record struct Mount(string DeviceNumber, string Point, string Source)
{
    private const int NumberField = 2;
    private const int PointField = 4;

    /// <summary>Reads mountinfo; lines that make no sense are left out.</summary>
    /// <exception cref="SysfsException">It is not there.</exception>
    internal static IEnumerable<Mount> ReadAll(string path)
    {
        string[] lines;
        try
        {
            lines = File.ReadAllLines(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SysfsException(path, $"cannot be read ({e.Message})", e);
        }

        foreach (string line in lines)
        {
            string[] fields = line.Split(' ');
            int separator = Array.IndexOf(fields, "-"); // Behind a varying number of optional fields.
            if (separator > PointField && separator + 2 < fields.Length)
            {
                yield return new Mount(fields[NumberField], Unescape(fields[PointField]), Unescape(fields[separator + 2]));
            }
        }
    }

    // Blanks and the like are octal numbers behind a backslash.
    private static string Unescape(string text)
    {
        if (!text.Contains('\\', StringComparison.Ordinal))
        {
            return text;
        }

        var plain = new StringBuilder(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\' && i + 3 < text.Length && IsOctal(text.AsSpan(i + 1, 3)))
            {
                plain.Append((char)(((text[i + 1] - '0') << 6) + ((text[i + 2] - '0') << 3) + (text[i + 3] - '0')));
                i += 3;
            }
            else
            {
                plain.Append(text[i]);
            }
        }

        return plain.ToString();
    }

    private static bool IsOctal(ReadOnlySpan<char> digits) => digits.IndexOfAnyExceptInRange('0', '7') < 0;
}
