namespace Arrakis.ControlPlane.Policy;

/// <summary>Names of storage areas as a rule writes them: an asterisk stands for any letters, none included.</summary>
internal static class AreaPattern
{
    internal static bool Matches(string pattern, string name)
    {
        string[] parts = pattern.Split('*');
        if (parts.Length == 1)
        {
            return pattern == name;
        }

        if (!name.StartsWith(parts[0], StringComparison.Ordinal))
        {
            return false;
        }

        // Each part in between as early as it can be, which leaves most for the last.
        int at = parts[0].Length;
        foreach (string part in parts.AsSpan(1, parts.Length - 2))
        {
            int found = name.IndexOf(part, at, StringComparison.Ordinal);
            if (found < 0)
            {
                return false;
            }

            at = found + part.Length;
        }

        return name.Length - at >= parts[^1].Length && name.EndsWith(parts[^1], StringComparison.Ordinal);
    }
}
