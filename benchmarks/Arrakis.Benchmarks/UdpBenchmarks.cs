using Arrakis.Benchmarks.Device;
using Arrakis.Wire.Rings;
using BenchmarkDotNet.Attributes;

namespace Arrakis.Benchmarks;

/// <summary>
/// A datagram received and answered through the whole stack. The software device's ring engine runs on the same thread, so
/// both of its copies are within the figure, and no cache line goes from core to core.
/// </summary>
[MemoryDiagnoser]
public class UdpBenchmarks
{
    private const int Datagrams = 1024;

    private MemoryNic _device = null!;
    private byte[] _frame = [];

    [Params(RingFormat.Split, RingFormat.Packed)]
    public RingFormat Format { get; set; }

    [Params(1, 32)]
    public int Batch { get; set; }

    [GlobalSetup]
    public void Open()
    {
        _device = new MemoryNic(Format);
        _frame = BenchmarkFrames.Udp(18);
    }

    [GlobalCleanup]
    public void Close() => _device.Dispose();

    [Benchmark(OperationsPerInvoke = Datagrams)]
    public int ReceiveAndSend()
    {
        int answered = 0;
        while (answered < Datagrams)
        {
            _device.Deliver(_frame, Batch);
            for (int taken = 0; taken < Batch;)
            {
                _ = _device.Nic.PollOnce(Echo);
                taken += _device.Take();
            }

            answered += Batch;
        }

        return answered;
    }

    private static void Echo(PacketBatch received, TransmitQueue transmit)
    {
        foreach (Packet packet in received)
        {
            if (packet.TryGetUdp(out UdpDatagram datagram))
            {
                _ = transmit.Post(datagram.Reply());
            }
        }
    }
}
