using Arrakis.Benchmarks.Device;
using Arrakis.DataPlane.Udp;
using Arrakis.Wire.Virtio;
using BenchmarkDotNet.Attributes;

namespace Arrakis.Benchmarks;

/// <summary>
/// A datagram of many that are sent together: one call each, in one call that cuts them, and in one call that has the device cut
/// them. The device here does not; what it has to do is left out.
/// </summary>
[MemoryDiagnoser]
public class SegmentBenchmarks
{
    private const int Datagrams = 44; // 64 KiB of full frames.
    private const int Times = 16;

    private SendingNic _nic = null!;
    private byte[] _payload = [];

    public enum Way
    {
        OneByOne,
        Together,
        TogetherByDevice,
    }

    [Params(100, 512, 1472)]
    public int SegmentSize { get; set; }

    [Params(Way.OneByOne, Way.Together, Way.TogetherByDevice)]
    public Way Sent { get; set; }

    [GlobalSetup]
    public void Open()
    {
        _nic = new SendingNic(Sent == Way.TogetherByDevice
            ? VirtioFeatures.NetChecksum | VirtioFeatures.NetHostUso | VirtioFeatures.RingIndirectDescriptors
            : VirtioFeatures.None);
        _payload = new byte[Datagrams * SegmentSize];
    }

    [GlobalCleanup]
    public void Close() => _nic.Dispose();

    [Benchmark(OperationsPerInvoke = Datagrams * Times)]
    public int Send()
    {
        for (int i = 0; i < Times; i++)
        {
            int sent = 0;
            SendOutcome outcome = SendOutcome.Sent;
            if (Sent != Way.OneByOne)
            {
                outcome = _nic.Udp.SendSegments(7, SendingNic.Destination, _payload, SegmentSize, allowBroadcast: true, now: 0, ref sent);
            }

            for (; sent < _payload.Length && outcome == SendOutcome.Sent; sent += SegmentSize)
            {
                outcome = _nic.Udp.Send(7, SendingNic.Destination, _payload.AsSpan(sent, SegmentSize), allowBroadcast: true, now: 0);
            }

            if (outcome != SendOutcome.Sent)
            {
                throw new InvalidOperationException("The ring is full.");
            }

            _nic.Complete();
        }

        return Datagrams * Times;
    }
}
