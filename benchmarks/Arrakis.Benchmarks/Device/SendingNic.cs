using Arrakis.DataPlane.Ip;
using Arrakis.DataPlane.Link;
using Arrakis.DataPlane.Udp;
using Arrakis.Wire;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.Benchmarks.Device;

/// <summary>UDP output over a transmit ring whose device does next to nothing, so that what is measured is the sender's core.</summary>
internal sealed class SendingNic : IDisposable
{
    private readonly QueuePair _rings;

    public SendingNic(VirtioFeatures features)
    {
        _rings = new QueuePair(RingFormat.Split, features);
        var counters = new NetCounters();
        Sender = new FrameSender(_rings.Receive, _rings.Transmit, _rings.Pool, counters);
        Ipv4Prefix address = Ipv4Prefix.Parse("10.7.0.2/24");
        var arp = new ArpProtocol(BenchmarkFrames.OwnMac, address, gateway: null, Sender, counters);
        Udp = new UdpOutput(BenchmarkFrames.OwnMac, address.Address, 1500, new Ipv4Route(address, gateway: null), arp, Sender, features);
    }

    /// <summary>Everyone: no neighbour has to be found.</summary>
    public static UdpEndPoint Destination { get; } = new(Ipv4Address.Broadcast, 9);

    public FrameSender Sender { get; }

    public UdpOutput Udp { get; }

    /// <summary>Shows the device what was sent, which has it done at once.</summary>
    public void Complete()
    {
        int frames = _rings.Transmit.Size - _rings.Transmit.FreeCount;
        Sender.Flush();
        _rings.FromDriver.Complete(frames, 0);
        if (_rings.Transmit.Reclaim() != frames)
        {
            throw new InvalidOperationException("The device has not given all back.");
        }
    }

    public void Dispose() => _rings.Dispose();
}
