using Arrakis.Wire.Virtio;

namespace Arrakis.TestBed.Storage;

/// <summary>A request that a model of a block device has taken out of its ring.</summary>
/// <param name="Id">The name under which it is given back.</param>
/// <param name="Descriptors">Descriptors that it takes in the ring.</param>
/// <param name="Type">What is asked.</param>
/// <param name="Sector">The first sector; of a discard or write zeroes that of its segment.</param>
/// <param name="Sectors">How many sectors.</param>
/// <param name="DataOffset">Where the data is in queue memory.</param>
/// <param name="DataLength">Its bytes.</param>
/// <param name="StatusOffset">Where the status byte is in queue memory.</param>
public readonly record struct DeviceBlockRequest(
    ushort Id,
    int Descriptors,
    VirtioBlockType Type,
    ulong Sector,
    long Sectors,
    long DataOffset,
    int DataLength,
    long StatusOffset)
{
    /// <summary>Bytes that the device may write.</summary>
    public uint Writable => (uint)(Type == VirtioBlockType.Read ? DataLength : 0) + VirtioBlockRequest.StatusLength;
}
