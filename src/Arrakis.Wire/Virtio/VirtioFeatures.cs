namespace Arrakis.Wire.Virtio;

/// <summary>Feature bits that this project understands (virtio 1.2 §5.1.3, §6; vhost-user "Feature negotiation").</summary>
[Flags]
public enum VirtioFeatures : ulong
{
    /// <summary>No feature.</summary>
    None = 0,

    /// <summary>VIRTIO_NET_F_CSUM: the device takes frames with partial checksums.</summary>
    NetChecksum = 1UL << 0,

    /// <summary>VIRTIO_NET_F_GUEST_CSUM: the driver takes frames with partial checksums.</summary>
    NetGuestChecksum = 1UL << 1,

    /// <summary>VIRTIO_NET_F_MTU: the device tells the largest MTU.</summary>
    NetMtu = 1UL << 3,

    /// <summary>VIRTIO_NET_F_MAC: the device tells a MAC address.</summary>
    NetMac = 1UL << 5,

    /// <summary>VIRTIO_NET_F_GUEST_TSO4: the driver takes TCP frames over IPv4 that were not cut into segments.</summary>
    NetGuestTso4 = 1UL << 7,

    /// <summary>VIRTIO_NET_F_GUEST_TSO6: the same over IPv6.</summary>
    NetGuestTso6 = 1UL << 8,

    /// <summary>VIRTIO_NET_F_GUEST_ECN: with ECN too.</summary>
    NetGuestEcn = 1UL << 9,

    /// <summary>VIRTIO_NET_F_GUEST_UFO: the driver takes UDP datagrams that were not cut into fragments.</summary>
    NetGuestUfo = 1UL << 10,

    /// <summary>VIRTIO_NET_F_HOST_TSO4: the device cuts TCP frames over IPv4 into segments.</summary>
    NetHostTso4 = 1UL << 11,

    /// <summary>VIRTIO_NET_F_HOST_TSO6: the same over IPv6.</summary>
    NetHostTso6 = 1UL << 12,

    /// <summary>VIRTIO_NET_F_HOST_ECN: with ECN too.</summary>
    NetHostEcn = 1UL << 13,

    /// <summary>VIRTIO_NET_F_HOST_UFO: the device cuts UDP datagrams into fragments.</summary>
    NetHostUfo = 1UL << 14,

    /// <summary>VIRTIO_NET_F_MRG_RXBUF: one frame may span receive buffers.</summary>
    NetMergeableReceiveBuffers = 1UL << 15,

    /// <summary>VIRTIO_NET_F_STATUS: the device tells the link's state.</summary>
    NetStatus = 1UL << 16,

    /// <summary>VIRTIO_NET_F_CTRL_VQ: there is a control queue.</summary>
    NetControlQueue = 1UL << 17,

    /// <summary>VIRTIO_NET_F_CTRL_RX: the control queue sets receive modes.</summary>
    NetControlReceive = 1UL << 18,

    /// <summary>VIRTIO_NET_F_GUEST_ANNOUNCE: the driver announces itself when asked.</summary>
    NetGuestAnnounce = 1UL << 21,

    /// <summary>VIRTIO_NET_F_MQ: several queue pairs.</summary>
    NetMultiQueue = 1UL << 22,

    /// <summary>VHOST_F_LOG_ALL: the back end logs dirty pages (live migration).</summary>
    VhostLogAll = 1UL << 26,

    /// <summary>VIRTIO_F_INDIRECT_DESC: descriptors may point to tables.</summary>
    RingIndirectDescriptors = 1UL << 28,

    /// <summary>VIRTIO_F_EVENT_IDX: used_event and avail_event fields.</summary>
    RingEventIndex = 1UL << 29,

    /// <summary>VHOST_USER_F_PROTOCOL_FEATURES: the back end speaks protocol features.</summary>
    VhostUserProtocolFeatures = 1UL << 30,

    /// <summary>VIRTIO_F_VERSION_1: not a legacy device.</summary>
    Version1 = 1UL << 32,

    /// <summary>VIRTIO_F_ACCESS_PLATFORM: addresses go through an IOMMU.</summary>
    AccessPlatform = 1UL << 33,

    /// <summary>VIRTIO_F_RING_PACKED: packed virtqueues.</summary>
    RingPacked = 1UL << 34,

    /// <summary>VIRTIO_F_IN_ORDER: buffers are used in the order they were made available.</summary>
    InOrder = 1UL << 35,

    /// <summary>VIRTIO_F_ORDER_PLATFORM: memory is ordered as the platform orders device memory.</summary>
    OrderPlatform = 1UL << 36,

    /// <summary>VIRTIO_NET_F_GUEST_USO4: the driver takes UDP frames over IPv4 that were not cut into datagrams.</summary>
    NetGuestUso4 = 1UL << 54,

    /// <summary>VIRTIO_NET_F_GUEST_USO6: the same over IPv6.</summary>
    NetGuestUso6 = 1UL << 55,

    /// <summary>VIRTIO_NET_F_HOST_USO: the device cuts UDP frames into datagrams.</summary>
    NetHostUso = 1UL << 56,

    /// <summary>VIRTIO_NET_F_HASH_REPORT: the device tells each frame's hash.</summary>
    NetHashReport = 1UL << 57,

    /// <summary>VIRTIO_NET_F_RSS: the control queue sets the hash that steers frames to queues.</summary>
    NetReceiveSideScaling = 1UL << 60,
}
