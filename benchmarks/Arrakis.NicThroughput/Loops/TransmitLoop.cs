using System.Runtime.CompilerServices;
using Arrakis.DataPlane.Memory;
using Arrakis.Native.Threads;

namespace Arrakis.NicThroughput.Loops;

/// <summary>As testpmd's txonly: writes a whole frame into each buffer from the pool and sends it.</summary>
internal static class TransmitLoop
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static LoopCount Run(RingSet rings, PacketBuffer[] buffers, byte[] frame, int polls)
    {
        LoopCount count = default;
        int batchLength = rings.BatchLength;
        int frameLength = rings.FrameLength;
        for (int poll = 0; poll < polls; poll++)
        {
            ulong start = TimestampCounter.Read();
            if (rings.Transmit.FreeCount < batchLength)
            {
                _ = rings.Transmit.Reclaim();
                if (rings.Transmit.FreeCount < batchLength)
                {
                    continue;
                }
            }

            int sent = rings.Pool.Rent(buffers.AsSpan(0, batchLength));
            for (int i = 0; i < sent; i++)
            {
                frame.CopyTo(rings.Pool.Bytes(buffers[i], BufferLayout.FrameOffset, frameLength));
                _ = rings.Transmit.TryPost(buffers[i], 0, frameLength);
            }

            if (sent != 0)
            {
                rings.Transmit.Flush();
                count.Packets += sent;
                count.BusyCycles += TimestampCounter.Read() - start;
            }
        }

        return count;
    }
}
