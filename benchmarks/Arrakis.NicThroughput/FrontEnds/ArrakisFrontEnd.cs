using System.Diagnostics;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Native.Threads;
using Arrakis.NicThroughput.Loops;
using Arrakis.Wire;

namespace Arrakis.NicThroughput.FrontEnds;

/// <summary>Our ring engine on a binding, in this process, on a core of its own.</summary>
internal sealed class ArrakisFrontEnd(NicBinding nic, int core, int batchLength, int frameLength)
{
    private const int PollsPerLook = 1024;

    private readonly ReceivedFrame[] _batch = new ReceivedFrame[batchLength];
    private readonly PacketBuffer[] _buffers = new PacketBuffer[batchLength];
    private readonly byte[] _frame = MakeFrame(frameLength);

    /// <summary>Runs a mode: first to warm up, then measured.</summary>
    public Measurement Run(Mode mode, TimeSpan warmup, TimeSpan duration)
    {
        Measurement measurement = default;
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                PinnedThread.Pin(core);
                var rings = new RingSet(nic.Queues[0].Pool, nic.Queues[0].ReceiveRing, nic.Queues[0].TransmitRing, batchLength, frameLength);
                _ = Measure(mode, rings, warmup);
                measurement = Measure(mode, rings, duration);
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        return failure is null ? measurement : throw new InvalidOperationException($"The loop failed: {failure.Message}", failure);
    }

    private Measurement Measure(Mode mode, RingSet rings, TimeSpan duration)
    {
        LoopCount total = default;
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < duration)
        {
            LoopCount count = mode switch
            {
                Mode.Receive => ReceiveLoop.Run(rings, _batch, PollsPerLook),
                Mode.Transmit => TransmitLoop.Run(rings, _buffers, _frame, PollsPerLook),
                _ => ForwardLoop.Run(rings, _batch, _buffers, PollsPerLook),
            };
            total = new LoopCount(total.Packets + count.Packets, total.BusyCycles + count.BusyCycles, total.Wrong + count.Wrong);
        }

        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return total.Wrong == 0
            ? new Measurement(total.Packets / seconds / 1e6, total.Packets == 0 ? 0 : (double)total.BusyCycles / total.Packets)
            : throw new InvalidOperationException($"{total.Wrong} of {total.Packets} frames were not {frameLength} bytes long.");
    }

    // A UDP datagram from here to nowhere; the back end looks at none of it.
    private static byte[] MakeFrame(int length)
    {
        byte[] frame = new byte[length];
        Wire.Frames.EthernetView.Write(frame, MacAddress.Parse("02:00:00:00:00:00"), MacAddress.Parse("02:97:00:00:00:02"), Wire.Frames.EtherType.Ipv4);
        return frame;
    }
}
