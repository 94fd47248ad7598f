using System.Runtime.CompilerServices;
using Arrakis.DataPlane.Rings;
using Arrakis.Native.Threads;

namespace Arrakis.NicThroughput.Loops;

/// <summary>As testpmd's rxonly: takes each frame out of its ring and gives its buffer back to the pool.</summary>
internal static class ReceiveLoop
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static LoopCount Run(RingSet rings, ReceivedFrame[] batch, int polls)
    {
        LoopCount count = default;
        int frameLength = rings.FrameLength;
        for (int poll = 0; poll < polls; poll++)
        {
            ulong start = TimestampCounter.Read();
            int received = rings.Receive.Receive(batch);
            if (received == 0)
            {
                continue;
            }

            for (int i = 0; i < received; i++)
            {
                ref ReceivedFrame frame = ref batch[i];
                count.Wrong += frame.Length == frameLength ? 0 : 1;
                if (rings.Receive.TryTake(ref frame))
                {
                    rings.Pool.Return(frame.Buffer);
                }
            }

            rings.Receive.Release(batch.AsSpan(0, received));
            count.Packets += received;
            count.BusyCycles += TimestampCounter.Read() - start;
        }

        return count;
    }
}
