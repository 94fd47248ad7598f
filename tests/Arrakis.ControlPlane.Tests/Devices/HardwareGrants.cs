using Arrakis.Contract;
using Arrakis.Wire;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.ControlPlane.Tests.Devices;

/// <summary>Grants as the builder makes them before a device has completed them.</summary>
internal static class HardwareGrants
{
    internal static Grant Make(RingFormat format, int size, MacAddress mac, int mtu = 1500, VirtioFeatures features = VirtioFeatures.Version1)
    {
        RingLayout receive = RingLayout.At(format, 0, size);
        RingLayout transmit = RingLayout.At(format, receive.End, size);
        return new Grant
        {
            BindingId = 1,
            Generation = 1,
            Device = "nic0",
            VirtualFunction = 0,
            Mac = mac,
            Address = Ipv4Prefix.Parse("10.9.0.2/24", null),
            Mtu = mtu,
            Features = features,
            Memory = new MemoryGrant(1 << 21, 1 << 21, 0x1_0000_0000, 1 << 20, 1 << 20, 2112),
            Queues = [new QueueGrant(QueueDirection.Receive, receive, 3), new QueueGrant(QueueDirection.Transmit, transmit, 4)],
        };
    }
}
