using System.Buffers.Binary;
using Arrakis.DataPlane.Rings;

namespace Arrakis.DataPlane.Tests.Rings;

/// <summary>Numbered frames that a device delivers as fast as it can, and that have to come in order and whole.</summary>
internal static class FrameSequence
{
    private const int Length = 60;

    internal delegate bool Deliver(ReadOnlySpan<byte> frame);

    internal delegate byte[] Read(in ReceivedFrame frame);

    internal static void AssertInOrder(ReceiveRing ring, Deliver tryDeliver, Read bytes, uint frames)
    {
        var frame = new byte[Length];
        var batch = new ReceivedFrame[7];
        uint sent = 0;
        uint received = 0;
        while (received < frames)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(frame, sent);
            while (tryDeliver(frame))
            {
                BinaryPrimitives.WriteUInt32LittleEndian(frame, ++sent);
            }

            int count = ring.Receive(batch);
            Assert.NotEqual(0, count);
            for (int i = 0; i < count; i++)
            {
                Assert.Equal(Length, batch[i].Length);
                Assert.Equal(received++, BinaryPrimitives.ReadUInt32LittleEndian(bytes(batch[i])));
            }

            ring.Release(batch.AsSpan(0, count));
        }
    }
}
