using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Native.Threads;

namespace Arrakis.NicThroughput.Loops;

/// <summary>As testpmd's macswap: swaps the hardware addresses of each frame and sends it on in the same buffer.</summary>
internal static class ForwardLoop
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static LoopCount Run(RingSet rings, ReceivedFrame[] batch, PacketBuffer[] buffers, int polls)
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
                buffers[i] = batch[i].Buffer;
            }

            rings.Pool.PrefetchForWrite(buffers.AsSpan(0, received));

            if (rings.Transmit.FreeCount < received)
            {
                _ = rings.Transmit.Reclaim();
            }

            int sent = 0;
            for (int i = 0; i < received; i++)
            {
                ref ReceivedFrame frame = ref batch[i];
                count.Wrong += frame.Length == frameLength ? 0 : 1;
                if (rings.Transmit.FreeCount > 0 && rings.Receive.TryTake(ref frame))
                {
                    SwapAddresses(rings.Pool.Bytes(frame.Buffer, BufferLayout.FrameOffset, frame.Length));
                    _ = rings.Transmit.TryPost(frame.Buffer, 0, frame.Length);
                    sent++;
                }
            }

            // What was sent first: the other side waits for it, and has descriptors left to go on with.
            rings.Transmit.Flush();
            rings.Receive.Release(batch.AsSpan(0, received));
            count.Packets += sent;
            count.BusyCycles += TimestampCounter.Read() - start;
        }

        return count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SwapAddresses(Span<byte> frame)
    {
        ulong destination = BinaryPrimitives.ReadUInt64LittleEndian(frame) & 0xffff_ffff_ffff;
        uint sourceStart = BinaryPrimitives.ReadUInt32LittleEndian(frame[6..]);
        ushort sourceEnd = BinaryPrimitives.ReadUInt16LittleEndian(frame[10..]);
        BinaryPrimitives.WriteUInt64LittleEndian(frame, sourceStart | (ulong)sourceEnd << 32 | destination << 48);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[8..], (uint)(destination >> 16));
    }
}
