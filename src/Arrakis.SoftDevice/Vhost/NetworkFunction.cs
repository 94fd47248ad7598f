using Arrakis.SoftDevice.Polling;
using Arrakis.SoftDevice.Ports.Vf;
using Arrakis.SoftDevice.Switch;
using Arrakis.Wire.VhostUser;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Vhost;

/// <summary>A virtual function of the switch, as a session sees it.</summary>
internal sealed class NetworkFunction(VfPort port, PollingLoop loop) : IVhostFunction
{
    private int _mtu = EthernetSwitch.MaxMtu;

    /// <inheritdoc/>
    public string Name => $"vf{port.Index}";

    /// <inheritdoc/>
    public VirtioFeatures Features => VhostFeatures.Device;

    /// <inheritdoc/>
    public VhostUserProtocolFeatures Protocol => VhostFeatures.Protocol;

    /// <inheritdoc/>
    public int RingCount => VhostFeatures.RingCount;

    /// <inheritdoc/>
    public int QueueCount => VfPort.MaxQueuePairs;

    /// <inheritdoc/>
    public string Describe(VirtioFeatures features) => features.ToString();

    /// <inheritdoc/>
    public string? Refuse(VirtioFeatures chosen) => VhostFeatures.Refuse(chosen);

    /// <inheritdoc/>
    public string? RefuseRing(int index, VirtioFeatures chosen) =>
        index > 1 && (chosen & VirtioFeatures.NetMultiQueue) == 0 ? $"VIRTIO_NET_F_MQ was not negotiated; ring {index} is of a second queue pair" : null;

    /// <inheritdoc/>
    public void WriteConfig(Span<byte> space)
    {
        PortIdentity? identity = port.Identity;
        new VirtioNetConfig(identity?.Mac ?? default, identity is not null, VfPort.MaxQueuePairs, (ushort)_mtu).Write(space);
    }

    /// <inheritdoc/>
    public bool TrySetMtu(ulong mtu)
    {
        if (mtu is < VhostFeatures.MinMtu or > EthernetSwitch.MaxMtu)
        {
            return false;
        }

        _mtu = (int)mtu;
        loop.Invoke(() => port.SetMtu(_mtu));
        return true;
    }

    /// <inheritdoc/>
    public void Attach(int index, RunningRing ring) => Change(index, ring);

    /// <inheritdoc/>
    public void Detach(int index) => Change(index, null);

    /// <inheritdoc/>
    public void EndSession()
    {
        _mtu = EthernetSwitch.MaxMtu;
        loop.Invoke(() => port.SetMtu(_mtu));
    }

    /// <inheritdoc/>
    public string? TakeFault() => port.TakeFault();

    private void Change(int index, RunningRing? ring)
    {
        int pair = index / 2;
        if (index % 2 == 0)
        {
            loop.Invoke(() => port.AttachReceive(pair, ring));
        }
        else
        {
            loop.Invoke(() => port.AttachTransmit(pair, ring));
        }
    }
}
