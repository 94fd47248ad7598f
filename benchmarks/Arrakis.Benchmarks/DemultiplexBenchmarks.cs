using Arrakis.Benchmarks.Device;
using Arrakis.DataPlane.Rings;
using Arrakis.DataPlane.Udp;
using Arrakis.Wire.Frames;
using Arrakis.Wire.Rings;
using BenchmarkDotNet.Attributes;

namespace Arrakis.Benchmarks;

/// <summary>A UDP frame parsed, its checksums tested, and looked up by its port, which nobody has.</summary>
[MemoryDiagnoser]
public class DemultiplexBenchmarks
{
    private MemoryNic _device = null!;
    private UdpPortTable _ports = null!;
    private UdpInput _input = null!;
    private byte[] _frame = [];

    [Params(18, 1472)]
    public int Payload { get; set; }

    [GlobalSetup]
    public void Open()
    {
        _device = new MemoryNic(RingFormat.Split);
        _ports = new UdpPortTable(_device.Nic.Queues[0]);
        _input = new UdpInput(_device.Nic.Queues[0].Pool);
        _frame = BenchmarkFrames.Udp(Payload);
    }

    [GlobalCleanup]
    public void Close() => _device.Dispose();

    [Benchmark]
    public int ParseAndDemultiplex()
    {
        var frame = default(ReceivedFrame);
        if (EthernetView.TryParse(_frame, out EthernetView ethernet) != FrameError.None
            || Ipv4View.TryParse(ethernet.Payload, out Ipv4View packet) != FrameError.None
            || _input.Receive(ref frame, packet, BenchmarkFrames.OwnAddress) != FrameError.None)
        {
            throw new InvalidOperationException("The frame is not good.");
        }

        _ports.Deliver(ref frame);
        return frame.PayloadLength;
    }
}
