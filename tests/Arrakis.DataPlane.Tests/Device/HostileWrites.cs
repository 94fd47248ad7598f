using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Tests.Device;

/// <summary>What a faulty or hostile device may write: the used rings, as it likes.</summary>
internal static unsafe class HostileWrites
{
    public const int ReceiveQueue = 0;
    public const int TransmitQueue = 1;

    public static ushort UsedIndex(this TestDevice device, int queue) => Volatile.Read(ref *(ushort*)(Used(device, queue) + SplitFormat.IndexOffset));

    public static void SetUsedIndex(this TestDevice device, int queue, int index) =>
        Volatile.Write(ref *(ushort*)(Used(device, queue) + SplitFormat.IndexOffset), (ushort)index);

    /// <summary>Adds an entry to a used ring.</summary>
    public static void AddUsed(this TestDevice device, int queue, uint id, uint length)
    {
        ushort index = device.UsedIndex(queue);
        int mask = device.Grant.Queues[queue].Ring.QueueSize - 1;
        byte* entry = Used(device, queue) + SplitFormat.EntriesOffset + (index & mask) * SplitFormat.UsedEntrySize;
        *(uint*)entry = id;
        *(uint*)(entry + 4) = length;
        device.SetUsedIndex(queue, index + 1);
    }

    /// <summary>The first bytes of the buffer that a descriptor names.</summary>
    public static byte[] BytesOf(this TestDevice device, int queue, int id, int count)
    {
        byte* descriptor = device.Ring(queue) + id * SplitFormat.DescriptorSize;
        return new Span<byte>(device.Mapping.Start + (long)(*(ulong*)descriptor - TestDevice.IovaBase), count).ToArray();
    }

    /// <summary>The id in an entry of the available ring.</summary>
    public static ushort AvailableEntry(this TestDevice device, int queue, int index)
    {
        RingLayout ring = device.Grant.Queues[queue].Ring;
        return *(ushort*)(device.Mapping.Start + ring.DriverArea + SplitFormat.EntriesOffset + (index & (ring.QueueSize - 1)) * SplitFormat.AvailableEntrySize);
    }

    private static byte* Used(TestDevice device, int queue) => device.Mapping.Start + device.Grant.Queues[queue].Ring.DeviceArea;
}
