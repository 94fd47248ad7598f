using System.Globalization;
using Arrakis.Contract;

namespace Arrakis.Ctl.Output;

/// <summary>Values as people read them.</summary>
internal static class Units
{
    private const long Kibi = 1024;
    private const long Mebi = Kibi * Kibi;

    internal static string Bytes(long bytes) => bytes switch
    {
        >= Mebi => string.Create(CultureInfo.InvariantCulture, $"{(double)bytes / Mebi:0.#} MiB"),
        >= Kibi => string.Create(CultureInfo.InvariantCulture, $"{(double)bytes / Kibi:0.#} KiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes} B"),
    };

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
