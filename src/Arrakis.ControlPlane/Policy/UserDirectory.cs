using System.Globalization;

namespace Arrakis.ControlPlane.Policy;

/// <summary>Names of users and groups in /etc/passwd and /etc/group; other sources are not asked.</summary>
internal static class UserDirectory
{
    internal static uint? FindUser(string name) => Find("/etc/passwd", name);

    internal static uint? FindGroup(string name) => Find("/etc/group", name);

    private static uint? Find(string path, string name)
    {
        try
        {
            foreach (string line in File.ReadLines(path))
            {
                string[] fields = line.Split(':');
                if (fields.Length > 2 && fields[0] == name && uint.TryParse(fields[2], NumberStyles.None, CultureInfo.InvariantCulture, out uint number))
                {
                    return number;
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }

        return null;
    }
}
