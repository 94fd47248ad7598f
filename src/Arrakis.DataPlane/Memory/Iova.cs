namespace Arrakis.DataPlane.Memory;

/// <summary>An address as the device sees it.</summary>
internal readonly record struct Iova(ulong Value)
{
    public static Iova operator +(Iova address, long offset) => new(address.Value + (ulong)offset);

    public override string ToString() => $"0x{Value:x}";
}
