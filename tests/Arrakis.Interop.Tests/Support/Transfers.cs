namespace Arrakis.Interop.Tests.Support;

/// <summary>How much is carried through each front end and back end.</summary>
internal static class Transfers
{
    /// <summary>What is carried each way.</summary>
    public const long Length = 1L << 30;

    /// <summary>A transfer that takes longer hangs, however busy the machine is.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);
}
