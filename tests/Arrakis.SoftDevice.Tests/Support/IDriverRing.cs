using Arrakis.SoftDevice.Rings;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Tests.Support;

/// <summary>The driver side of a ring of either format, for tests that hold for both.</summary>
internal interface IDriverRing
{
    int Size { get; }

    bool DoorbellIsWanted { get; }

    DeviceRing Attach(VirtioFeatures features);

    bool TrySend(ReadOnlySpan<byte> data, int pieces = 1);

    bool TrySendIndirect(ReadOnlySpan<byte> data, int pieces);

    bool TryOffer(int pieces = 1, int? length = null);

    bool TryOfferIndirect(int pieces, int length);

    bool TryTake(out byte[] data);

    void WantEventAfter(int used);

    static IDriverRing Create(RingFormat format, int size, int bufferSize, int start, out QueueMemory memory)
    {
        if (format == RingFormat.Packed)
        {
            PackedDriverRing packed = PackedDriverRing.Create(size, bufferSize, out memory);
            packed.StartAt(start % size, start / size % 2 == 0);
            return packed;
        }

        DriverRing split = DriverRing.Create(size, bufferSize, out memory);
        split.StartAt((ushort)start);
        return split;
    }
}
