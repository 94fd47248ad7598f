namespace Arrakis.ControlPlane.Tests.Support;

/// <summary>Seeds of random tests: the same run each time.</summary>
internal static class Seeds
{
    public const string Fixed = "0000000000001";
}
