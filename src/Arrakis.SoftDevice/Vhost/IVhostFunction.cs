using Arrakis.SoftDevice.Ports.Vf;
using Arrakis.Wire.VhostUser;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Vhost;

/// <summary>What a vhost-user session is a session of: a function of some type of device. Control thread only.</summary>
internal interface IVhostFunction
{
    /// <summary>Its name in the log.</summary>
    string Name { get; }

    /// <summary>Virtio features that it offers.</summary>
    VirtioFeatures Features { get; }

    /// <summary>Vhost-user protocol features that it offers.</summary>
    VhostUserProtocolFeatures Protocol { get; }

    /// <summary>Rings that it may have.</summary>
    int RingCount { get; }

    /// <summary>What GET_QUEUE_NUM answers: queues, or pairs of them.</summary>
    int QueueCount { get; }

    /// <summary>Features in words, for the log: what the low bits mean depends on the type of device.</summary>
    string Describe(VirtioFeatures features);

    /// <summary>What is wrong with the features that a driver has chosen; null where nothing is.</summary>
    string? Refuse(VirtioFeatures chosen);

    /// <summary>What is wrong with running a ring; null where nothing is.</summary>
    string? RefuseRing(int index, VirtioFeatures chosen);

    /// <summary>Writes its configuration space; what it leaves is zero.</summary>
    void WriteConfig(Span<byte> space);

    /// <summary>Takes the MTU of NET_SET_MTU. False where it has no such.</summary>
    bool TrySetMtu(ulong mtu);

    /// <summary>Starts a ring.</summary>
    void Attach(int index, RunningRing ring);

    /// <summary>Stops a ring; it is let go of when this returns.</summary>
    void Detach(int index);

    /// <summary>The session ends, its rings have stopped.</summary>
    void EndSession();

    /// <summary>Takes the reason why it has let go of its rings; null where it has not.</summary>
    string? TakeFault();
}
