using Arrakis.Contract;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.ControlPlane.Bindings;

/// <summary>What the grants of both kinds have in their own words: rings, and the queues that have an event each.</summary>
internal static class GrantRings
{
    /// <summary>Rings, in the grant's order.</summary>
    internal static IReadOnlyList<RingLayout> Rings(this BindingGrant grant) => grant switch
    {
        Grant nic => [.. nic.Queues.Select(static queue => queue.Ring)],
        StorageGrant storage => [.. storage.Queues.Select(static queue => queue.Ring)],
        _ => [],
    };

    /// <summary>Rings of a queue: those that share an event. A NIC's queue is a pair.</summary>
    internal static int RingsPerQueue(this BindingGrant grant) => grant is Grant ? 2 : 1;

    /// <summary>Queues.</summary>
    internal static int QueueCount(this BindingGrant grant) => grant switch
    {
        Grant nic => nic.QueuePairs,
        StorageGrant storage => storage.Queues.Count,
        _ => 0,
    };

    /// <summary>Features wanted of a virtio device, or in force.</summary>
    internal static VirtioFeatures Features(this BindingGrant grant) => grant switch
    {
        Grant nic => nic.Features,
        StorageGrant storage => storage.Features,
        _ => VirtioFeatures.None,
    };
}
