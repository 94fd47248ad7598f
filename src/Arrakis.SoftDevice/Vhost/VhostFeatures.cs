using Arrakis.SoftDevice.Ports.Vf;
using Arrakis.Wire.VhostUser;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Vhost;

/// <summary>What the device offers, and what each feature needs.</summary>
internal static class VhostFeatures
{
    /// <summary>Virtio features.</summary>
    public const VirtioFeatures Device = VirtioFeatures.Version1 | VirtioFeatures.VhostUserProtocolFeatures
        | VirtioFeatures.RingPacked | VirtioFeatures.InOrder | VirtioFeatures.RingEventIndex | VirtioFeatures.RingIndirectDescriptors
        | VirtioFeatures.NetMac | VirtioFeatures.NetStatus | VirtioFeatures.NetMtu | VirtioFeatures.NetMultiQueue
        | VirtioFeatures.NetMergeableReceiveBuffers
        | VirtioFeatures.NetChecksum | VirtioFeatures.NetHostTso4 | VirtioFeatures.NetHostTso6 | VirtioFeatures.NetHostUso
        | VirtioFeatures.NetGuestChecksum | VirtioFeatures.NetGuestTso4 | VirtioFeatures.NetGuestTso6
        | VirtioFeatures.NetGuestUso4 | VirtioFeatures.NetGuestUso6;

    /// <summary>Vhost-user protocol features.</summary>
    public const VhostUserProtocolFeatures Protocol = VhostUserProtocolFeatures.ReplyAck | VhostUserProtocolFeatures.Status
        | VhostUserProtocolFeatures.MultiQueue | VhostUserProtocolFeatures.NetMtu | VhostUserProtocolFeatures.Config;

    /// <summary>Rings of a virtual function: 2k receives and 2k + 1 transmits for pair k, seen from the driver (virtio 1.2 §5.1.2).</summary>
    public const int RingCount = 2 * VfPort.MaxQueuePairs;

    /// <summary>The smallest MTU (RFC 791 §3.2).</summary>
    public const int MinMtu = 68;

    // Of §5.1.3.1.
    private static readonly (VirtioFeatures Feature, VirtioFeatures Needed)[] _needs =
    [
        (VirtioFeatures.NetGuestTso4, VirtioFeatures.NetGuestChecksum),
        (VirtioFeatures.NetGuestTso6, VirtioFeatures.NetGuestChecksum),
        (VirtioFeatures.NetGuestUso4, VirtioFeatures.NetGuestChecksum),
        (VirtioFeatures.NetGuestUso6, VirtioFeatures.NetGuestChecksum),
        (VirtioFeatures.NetHostTso4, VirtioFeatures.NetChecksum),
        (VirtioFeatures.NetHostTso6, VirtioFeatures.NetChecksum),
        (VirtioFeatures.NetHostUso, VirtioFeatures.NetChecksum),
    ];

    /// <summary>What is wrong with the features that a driver has chosen; null where nothing is.</summary>
    public static string? Refuse(VirtioFeatures chosen)
    {
        if ((chosen & ~Device) != 0)
        {
            return $"features {chosen & ~Device} were not offered";
        }

        foreach ((VirtioFeatures feature, VirtioFeatures needed) in _needs)
        {
            if ((chosen & feature) != 0 && (chosen & needed) == 0)
            {
                return $"feature {feature} needs {needed}, which was not chosen";
            }
        }

        return null;
    }
}
