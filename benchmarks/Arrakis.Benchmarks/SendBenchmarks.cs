using Arrakis.Benchmarks.Device;
using Arrakis.DataPlane.Udp;
using Arrakis.Wire.Virtio;
using BenchmarkDotNet.Attributes;

namespace Arrakis.Benchmarks;

/// <summary>A datagram sent, from the payload's copy to the buffer's way back, with and without the checksum left to the device.</summary>
[MemoryDiagnoser]
public class SendBenchmarks
{
    private const int Datagrams = 1024;
    private const int Batch = 32;

    private SendingNic _nic = null!;
    private byte[] _payload = [];

    [Params(18, 64, 128, 256, 512, 1472)]
    public int Payload { get; set; }

    [Params(false, true)]
    public bool Checksum { get; set; }

    [GlobalSetup]
    public void Open()
    {
        _nic = new SendingNic(Checksum ? VirtioFeatures.NetChecksum : VirtioFeatures.None);
        _payload = new byte[Payload];
    }

    [GlobalCleanup]
    public void Close() => _nic.Dispose();

    [Benchmark(OperationsPerInvoke = Datagrams)]
    public int Send()
    {
        for (int sent = 0; sent < Datagrams; sent += Batch)
        {
            for (int i = 0; i < Batch; i++)
            {
                if (_nic.Udp.Send(7, SendingNic.Destination, _payload, allowBroadcast: true, now: 0) != SendOutcome.Sent)
                {
                    throw new InvalidOperationException("The ring is full.");
                }
            }

            _nic.Complete();
        }

        return Datagrams;
    }
}
