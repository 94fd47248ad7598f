using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Arrakis.Ctl.Load;

/// <summary>A load to offer: requests a second, or a share of what saturates the server.</summary>
/// <param name="Value">Requests a second, or percent.</param>
/// <param name="IsShare">Whether it is percent of saturation.</param>
internal readonly record struct OfferedLoad(double Value, bool IsShare)
{
    private static readonly double[] s_shares = [10, 20, 30, 40, 50, 60, 70, 80, 90, 95];

    /// <summary>What is offered unless told otherwise.</summary>
    internal static IReadOnlyList<OfferedLoad> Default { get; } = [.. s_shares.Select(static share => new OfferedLoad(share, true))];

    /// <summary>An option that is a list of loads.</summary>
    internal static Option<IReadOnlyList<OfferedLoad>> Option() => new("--rates")
    {
        Description = "Loads to offer: requests a second, or percent of saturation; otherwise 10%,20%,...,90%,95%, of a soak 50%.",
        HelpName = "list, such as 10%,50%,200000",
        CustomParser = Parse,
    };

    /// <summary>Requests a second.</summary>
    /// <param name="saturation">Requests a second at which the server is saturated.</param>
    internal double Rate(double saturation) => IsShare ? Value / 100 * saturation : Value;

    private static List<OfferedLoad>? Parse(ArgumentResult result)
    {
        List<OfferedLoad> loads = [];
        foreach (string text in result.Tokens[0].Value.Split(','))
        {
            bool isShare = text.EndsWith('%');
            if (!double.TryParse(isShare ? text[..^1] : text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value)
                || value < 0.001
                || value > (isShare ? 1000 : 100_000_000))
            {
                result.AddError($"'{text}' is no load; write requests a second (0.001 to 100000000) or percent of saturation, with commas between: 10%,50%,200000.");
                return null;
            }

            loads.Add(new OfferedLoad(value, isShare));
        }

        return loads;
    }
}
