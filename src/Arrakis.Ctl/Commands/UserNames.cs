using System.CommandLine.Parsing;
using System.Globalization;

namespace Arrakis.Ctl.Commands;

/// <summary>Users on the command line: a number, or a name of this machine's list of users (passwd(5)).</summary>
internal static class UserNames
{
    private const string File = "/etc/passwd";

    /// <summary>Reads a user; null where it is none, which is then an error of the command line.</summary>
    internal static uint? Parse(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        if (uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint number) || TryFind(text, out number))
        {
            return number;
        }

        result.AddError($"There is no user '{text}'; write a name that is in {File}, or a number.");
        return null;
    }

    private static bool TryFind(string name, out uint number)
    {
        number = 0;
        return System.IO.File.Exists(File) && System.IO.File.ReadLines(File)
            .Select(static line => line.Split(':'))
            .FirstOrDefault(fields => fields.Length > 2 && fields[0] == name) is [_, _, var id, ..] && uint.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }
}
