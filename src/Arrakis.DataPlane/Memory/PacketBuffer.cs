namespace Arrakis.DataPlane.Memory;

/// <summary>The right to use one buffer of a <see cref="PacketPool"/>, until it is given back or goes to a ring.</summary>
/// <param name="Index">Which buffer.</param>
/// <param name="Generation">Odd while an owner holds it; a handle of another generation is stale.</param>
internal readonly record struct PacketBuffer(int Index, uint Generation);
