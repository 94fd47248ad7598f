namespace Arrakis.DataPlane.Tests;

/// <summary>Fixed seeds, so that every run tries the same cases.</summary>
internal static class Seeds
{
    public const string Fixed = "0000000000001";
}
