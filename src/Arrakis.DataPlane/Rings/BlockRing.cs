using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.Wire.Rings;

namespace Arrakis.DataPlane.Rings;

/// <summary>The driver's side of a block queue, whatever its format: a call here is for a batch. For one thread.</summary>
internal abstract class BlockRing
{
    /// <summary>Commands that may be with the device at once; tags are below it.</summary>
    public abstract int Depth { get; }

    /// <summary>Makes the ring of a grant that was checked.</summary>
    /// <exception cref="InvalidGrantException">There is no such ring.</exception>
    public static BlockRing Create(BindingMemory memory, StorageGrant grant, BlockQueueGrant queue)
    {
        DmaRegion region = memory.Region;
        var layout = new BlockQueueLayout(queue.Ring, queue.CommandArea, grant.MaxTransferLength);
        Doorbell doorbell = memory.DoorbellAt(queue.KickDescriptor, queue.Doorbell);
        return queue.Ring.Format switch
        {
            RingFormat.Split => new VirtioBlockRing<SplitVirtqueue>(region, layout, grant.BlockSize, grant.Features, doorbell),
            RingFormat.Packed => new VirtioBlockRing<PackedVirtqueue>(region, layout, grant.BlockSize, grant.Features, doorbell),
            RingFormat.Nvme when queue.CompletionDoorbell is { } head => new NvmeQueuePair(
                region, layout, doorbell, memory.DoorbellAt(queue.KickDescriptor, head), grant.NamespaceId, grant.HasSgl),
            _ => throw new InvalidGrantException($"This data plane has no block queue of the format {queue.Ring.Format}."),
        };
    }

    /// <summary>Puts commands into the ring, as many as there is room for, in their order. The device need not see them before <see cref="Publish"/>.</summary>
    /// <returns>How many were taken.</returns>
    public abstract int Submit(ReadOnlySpan<BlockCommand> commands);

    /// <summary>Shows the device what was submitted, and rings the doorbell where it wants that. Nothing where there is nothing new.</summary>
    public abstract void Publish();

    /// <summary>Takes what the device has completed, in whatever order that is; at most as much as fits.</summary>
    /// <exception cref="RingCorruptException">The device named a command that it does not have, or wrote an impossible index.</exception>
    public abstract int TakeCompleted(Span<BlockCompletion> completions);

    /// <summary>Asks the device for an event at the next completion. False, and no event asked for, where one waits already.</summary>
    public abstract bool TryArmEvents();

    /// <summary>The driver polls: no events.</summary>
    public abstract void DisarmEvents();

    /// <summary>Wakes a device that came back; nothing where a device cannot go away without its queue.</summary>
    public virtual void RingDoorbell()
    {
    }
}
