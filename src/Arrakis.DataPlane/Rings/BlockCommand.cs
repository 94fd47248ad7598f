namespace Arrakis.DataPlane.Rings;

/// <summary>A request as a block ring takes it; already checked against the area and the buffers.</summary>
/// <param name="Tag">Names the request until it is completed: below the ring's depth, and of no other request with the device.</param>
/// <param name="Operation">What to do.</param>
/// <param name="ForceUnitAccess">Whether a write is to be durable when it completes; only where the grant has that capability.</param>
/// <param name="Block">The first block, as the queue addresses it; 0 for a flush.</param>
/// <param name="Blocks">How many; 0 for a flush.</param>
/// <param name="DataOffset">Where the data is in queue memory, of a read or a write.</param>
/// <param name="DataLength">Its bytes: whole blocks; 0 of other operations.</param>
internal readonly record struct BlockCommand(
    ushort Tag, BlockOperation Operation, bool ForceUnitAccess, ulong Block, uint Blocks, long DataOffset, int DataLength);

/// <summary>What a block ring has completed.</summary>
/// <param name="Tag">Of the command.</param>
/// <param name="Status">How it ended.</param>
/// <param name="RawStatus">The device's own word for it: NVMe's status field (type and code), or virtio-blk's status byte.</param>
internal readonly record struct BlockCompletion(ushort Tag, BlockStatus Status, ushort RawStatus);
