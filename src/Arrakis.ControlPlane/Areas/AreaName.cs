using System.Buffers;
using Arrakis.Contract;

namespace Arrakis.ControlPlane.Areas;

/// <summary>What an area may be called: it is a file's name, too.</summary>
internal static class AreaName
{
    internal const int MaxLength = 63;

    private static readonly SearchValues<char> s_letters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789-_.");

    internal static bool IsValid(ReadOnlySpan<char> name) =>
        name.Length is > 0 and <= MaxLength && name[0] != '.' && !name.ContainsAnyExcept(s_letters);

    /// <exception cref="ArrakisException">It is no area's name.</exception>
    internal static void Check(string name)
    {
        if (!IsValid(name))
        {
            throw new ArrakisException(
                ErrorCode.InvalidRequest,
                $"'{(name.Length <= MaxLength ? name : name[..MaxLength] + "...")}' cannot be a storage area's name.",
                $"Take 1 to {MaxLength} of the letters a-z, 0-9, '-', '_' and '.', the first no '.'.");
        }
    }
}
