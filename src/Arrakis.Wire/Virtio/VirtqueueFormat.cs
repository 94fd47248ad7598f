namespace Arrakis.Wire.Virtio;

/// <summary>The two formats of a virtqueue (virtio 1.2 §2.6).</summary>
public enum VirtqueueFormat
{
    /// <summary>Split: a descriptor table, an available and a used ring (§2.7).</summary>
    Split,

    /// <summary>Packed: one ring that both sides write, and two event suppression structures (§2.8).</summary>
    Packed,
}
