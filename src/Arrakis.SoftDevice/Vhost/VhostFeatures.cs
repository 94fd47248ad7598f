using Arrakis.Wire.VhostUser;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Vhost;

/// <summary>What the device offers.</summary>
internal static class VhostFeatures
{
    /// <summary>Virtio features.</summary>
    public const VirtioFeatures Device = VirtioFeatures.Version1 | VirtioFeatures.VhostUserProtocolFeatures
        | VirtioFeatures.RingPacked | VirtioFeatures.InOrder | VirtioFeatures.RingEventIndex | VirtioFeatures.RingIndirectDescriptors
        | VirtioFeatures.NetMergeableReceiveBuffers;

    /// <summary>Vhost-user protocol features.</summary>
    public const VhostUserProtocolFeatures Protocol = VhostUserProtocolFeatures.ReplyAck | VhostUserProtocolFeatures.Status;

    /// <summary>Rings of a virtual function: receive and transmit (virtio 1.2 §5.1.2).</summary>
    public const int RingCount = 2;

    /// <summary>The receive ring, seen from the driver.</summary>
    public const int ReceiveRing = 0;
}
