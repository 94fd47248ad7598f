using CsCheck;

namespace Arrakis.ControlPlane.Tests.Support;

/// <summary>Generators of one of a few values.</summary>
internal static class Pick
{
    internal static Gen<T> From<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(index => values[index]);
}
