namespace Arrakis.SystemTests.Support;

/// <summary>Signals by number (signal(7), x86-64 and arm64).</summary>
internal static class Signals
{
    public const int Kill = 9;
    public const int Continue = 18;
    public const int Stop = 19;
}
