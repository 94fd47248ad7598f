using System.Globalization;
using Arrakis.Contract;

namespace Arrakis.Ctl.Output;

/// <summary>Values as people read them.</summary>
internal static class Units
{
    private const long Kibi = 1024;
    private const long Mebi = Kibi * Kibi;
    private const long Gibi = Kibi * Mebi;
    private const long Tebi = Kibi * Gibi;

    internal static string Bytes(long bytes) => bytes switch
    {
        >= Tebi => string.Create(CultureInfo.InvariantCulture, $"{(double)bytes / Tebi:0.#} TiB"),
        >= Gibi => string.Create(CultureInfo.InvariantCulture, $"{(double)bytes / Gibi:0.#} GiB"),
        >= Mebi => string.Create(CultureInfo.InvariantCulture, $"{(double)bytes / Mebi:0.#} MiB"),
        >= Kibi => string.Create(CultureInfo.InvariantCulture, $"{(double)bytes / Kibi:0.#} KiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes} B"),
    };

    /// <summary>Reads a positive number of bytes: digits, perhaps a fraction, and perhaps K, M, G or T in units of 1024; "iB" or "B" may follow.</summary>
    internal static bool TryParseBytes(string text, out long bytes)
    {
        string number = text.TrimEnd('B').TrimEnd('i');
        long unit = number is [.., var last] ? char.ToUpperInvariant(last) switch { 'K' => Kibi, 'M' => Mebi, 'G' => Gibi, 'T' => Tebi, _ => 1 } : 1;
        bool isNumber = decimal.TryParse(unit == 1 ? number : number[..^1], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal value)
            && value > 0 && value <= long.MaxValue / unit && decimal.IsInteger(value * unit);
        bytes = isNumber ? (long)(value * unit) : 0;
        return isNumber;
    }

    internal static string BitsPerSecond(long bits) => bits switch
    {
        >= 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bits / 1e9:0.###} Gbit/s"),
        >= 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bits / 1e6:0.###} Mbit/s"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bits / 1e3:0.###} kbit/s"),
    };

    internal static string Microseconds(long nanoseconds) => string.Create(CultureInfo.InvariantCulture, $"{nanoseconds / 1e3:0.00} µs");

    internal static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    internal static string UpOrDown(bool up) => up ? "up" : "down";

    internal static string Name(BindingState state) => state switch
    {
        BindingState.RevocationRequested => "asked back",
        BindingState.None => "none",
        BindingState.Active => "active",
        BindingState.Revoked => "revoked",
        BindingState.Aborted => "aborted",
        BindingState.Released => "released",
        _ => ((uint)state).ToString(CultureInfo.InvariantCulture),
    };
}
