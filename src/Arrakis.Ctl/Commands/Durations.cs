using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Arrakis.Ctl.Commands;

/// <summary>Times on the command line: a number with the unit ms, s or min.</summary>
internal static class Durations
{
    private static readonly (string Unit, double Milliseconds)[] s_units = [("ms", 1), ("s", 1000), ("min", 60_000)];

    internal static Option<TimeSpan> Option(string name, string description, TimeSpan value) => new(name)
    {
        Description = description,
        HelpName = "time, such as 500ms or 2s",
        DefaultValueFactory = _ => value,
        CustomParser = Parse,
    };

    internal static bool TryParse(string text, out TimeSpan time)
    {
        foreach ((string unit, double milliseconds) in s_units)
        {
            if (text.EndsWith(unit, StringComparison.Ordinal)
                && double.TryParse(text[..^unit.Length], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number)
                && number * milliseconds is >= 1 and <= int.MaxValue)
            {
                time = TimeSpan.FromMilliseconds(number * milliseconds);
                return true;
            }
        }

        time = default;
        return false;
    }

    private static TimeSpan Parse(ArgumentResult result)
    {
        if (!TryParse(result.Tokens[0].Value, out TimeSpan time))
        {
            result.AddError($"'{result.Tokens[0].Value}' is no time of at least a millisecond; write for example 500ms, 2s or 1min.");
        }

        return time;
    }
}
