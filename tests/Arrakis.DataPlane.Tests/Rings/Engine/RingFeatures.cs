using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Tests.Rings.Engine;

/// <summary>What an engine runs with.</summary>
internal readonly record struct RingFeatures(RingFormat Format, bool InOrder, bool EventIndex, bool Indirect, bool Mergeable)
{
    /// <summary>All 32 of them.</summary>
    public static IEnumerable<RingFeatures> All =>
        from bits in Enumerable.Range(0, 32)
        select new RingFeatures(
            (bits & 1) != 0 ? RingFormat.Packed : RingFormat.Split,
            (bits & 2) != 0,
            (bits & 4) != 0,
            (bits & 8) != 0,
            (bits & 16) != 0);

    /// <summary>As negotiated; checksum and segmentation are always there.</summary>
    public VirtioFeatures Negotiated =>
        VirtioFeatures.Version1
        | VirtioFeatures.NetChecksum
        | VirtioFeatures.NetGuestChecksum
        | VirtioFeatures.NetHostUso
        | (Format == RingFormat.Packed ? VirtioFeatures.RingPacked : 0)
        | (InOrder ? VirtioFeatures.InOrder : 0)
        | (EventIndex ? VirtioFeatures.RingEventIndex : 0)
        | (Indirect ? VirtioFeatures.RingIndirectDescriptors : 0)
        | (Mergeable ? VirtioFeatures.NetMergeableReceiveBuffers : 0);

    public override string ToString() =>
        $"{Format}{(InOrder ? ", in order" : "")}{(EventIndex ? ", event index" : "")}{(Indirect ? ", indirect" : "")}{(Mergeable ? ", mergeable" : "")}";
}
