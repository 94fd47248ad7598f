namespace Arrakis.Samples.KvStore.Commands;

/// <summary>Patterns of KEYS and SCAN: '*', '?', '[abc]', '[^a-z]', and '\' before a letter that means itself.</summary>
internal static class Glob
{
    /// <summary>Whether a text matches. The time is that of the two lengths multiplied, whatever the pattern.</summary>
    public static bool Matches(ReadOnlySpan<char> pattern, ReadOnlySpan<char> text)
    {
        int p = 0, t = 0, star = -1, resume = 0;
        while (t < text.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                star = p++; // Takes nothing at first, and one more each time the rest fails.
                resume = t;
            }
            else if (p < pattern.Length && MatchesOne(pattern, p, text[t], out int next))
            {
                p = next;
                t++;
            }
            else if (star >= 0)
            {
                p = star + 1;
                t = ++resume;
            }
            else
            {
                return false;
            }
        }

        return pattern[p..].Trim('*').IsEmpty;
    }

    private static bool MatchesOne(ReadOnlySpan<char> pattern, int at, char letter, out int next)
    {
        next = at + 1;
        switch (pattern[at])
        {
            case '?':
                return true;
            case '[':
                return MatchesSet(pattern, at + 1, letter, out next);
            case '\\' when next < pattern.Length:
                return pattern[next++] == letter;
            default:
                return pattern[at] == letter;
        }
    }

    private static bool MatchesSet(ReadOnlySpan<char> pattern, int at, char letter, out int next)
    {
        bool isNot = at < pattern.Length && pattern[at] == '^';
        at += isNot ? 1 : 0;
        bool isIn = false;
        while (at < pattern.Length && pattern[at] != ']')
        {
            if (pattern[at] == '\\' && at + 1 < pattern.Length)
            {
                at++;
            }

            char low = pattern[at];
            char high = low;
            if (at + 2 < pattern.Length && pattern[at + 1] == '-' && pattern[at + 2] != ']')
            {
                high = pattern[at + 2];
                at += 2;
            }

            isIn |= letter >= Math.Min(low, high) && letter <= Math.Max(low, high);
            at++;
        }

        next = Math.Min(at + 1, pattern.Length);
        return isIn != isNot;
    }
}
