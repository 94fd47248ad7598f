using Arrakis.Contract.Control;
using Arrakis.SoftDevice.Polling;
using Arrakis.SoftDevice.Ports.Vf;
using Arrakis.SoftDevice.Vhost;
using Arrakis.Wire.VhostUser;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Blocks;

/// <summary>A block function, as a vhost-user session and the management socket see it. Control thread only.</summary>
internal sealed class BlockFunction(BlockPort port, PollingLoop loop) : IVhostFunction
{
    // With header and status, a ring of 128 descriptors has room for the longest request even without indirect descriptors. Linux's driver
    // waits for ever for room that a ring never has, and 128 is what QEMU gives a disk.
    private const uint DataSegments = 128 - 2;
    private const uint SegmentSize = 1024 * 1024;

    /// <inheritdoc/>
    public string Name => $"blk{port.Index}";

    /// <inheritdoc/>
    public VirtioFeatures Features => VirtioFeatures.Version1 | VirtioFeatures.VhostUserProtocolFeatures
        | VirtioFeatures.RingPacked | VirtioFeatures.RingEventIndex | VirtioFeatures.RingIndirectDescriptors
        | VirtioBlockFeatures.SizeMax | VirtioBlockFeatures.SegmentMax | VirtioBlockFeatures.BlockSize | VirtioBlockFeatures.MultiQueue
        | port.Medium.Features
        | (port.Area?.IsReadOnly == true ? VirtioBlockFeatures.ReadOnly : 0);

    /// <inheritdoc/>
    public VhostUserProtocolFeatures Protocol => VhostUserProtocolFeatures.ReplyAck | VhostUserProtocolFeatures.Status
        | VhostUserProtocolFeatures.MultiQueue | VhostUserProtocolFeatures.Config;

    /// <inheritdoc/>
    public int RingCount => BlockPort.MaxQueues;

    /// <inheritdoc/>
    public int QueueCount => BlockPort.MaxQueues;

    /// <inheritdoc/>
    public string Describe(VirtioFeatures features) => $"features 0x{(ulong)features:x}";

    /// <inheritdoc/>
    /// <remarks>Whether an area is read-only may have changed since the features were asked for; each write is refused then.</remarks>
    public string? Refuse(VirtioFeatures chosen)
    {
        VirtioFeatures unknown = chosen & ~(Features | VirtioBlockFeatures.ReadOnly);
        return unknown != 0 ? $"features 0x{(ulong)unknown:x} were not offered" : null;
    }

    /// <inheritdoc/>
    public string? RefuseRing(int index, VirtioFeatures chosen) =>
        index > 0 && (chosen & VirtioBlockFeatures.MultiQueue) == 0 ? $"VIRTIO_BLK_F_MQ was not negotiated; ring {index} is of a second queue" : null;

    /// <inheritdoc/>
    public void WriteConfig(Span<byte> space)
    {
        BlockMedium medium = port.Medium;
        uint range = (uint)(medium.MaxRange / VirtioBlockRequest.SectorSize);
        new VirtioBlockConfig
        {
            Capacity = (ulong)(port.Area?.Length ?? 0) / VirtioBlockRequest.SectorSize,
            SizeMax = SegmentSize,
            SegmentMax = DataSegments,
            BlockSize = (uint)medium.BlockSize,
            QueueCount = BlockPort.MaxQueues,
            MaxDiscardSectors = range,
            MaxDiscardSegments = 1,
            DiscardAlignment = (uint)medium.BlockSize / VirtioBlockRequest.SectorSize,
            MaxWriteZeroesSectors = range,
            MaxWriteZeroesSegments = 1,
            WriteZeroesMayUnmap = medium.Disk is not null,
        }.Write(space);
    }

    /// <inheritdoc/>
    public bool TrySetMtu(ulong mtu) => false;

    /// <inheritdoc/>
    public void Attach(int index, RunningRing ring) => loop.Invoke(() => port.Attach(index, ring));

    /// <inheritdoc/>
    /// <remarks>Waits for what the disk still has: it would write into memory that is no longer the driver's.</remarks>
    public void Detach(int index) => Await(() => port.TryDetach(index));

    /// <inheritdoc/>
    public void EndSession()
    {
    }

    /// <inheritdoc/>
    public string? TakeFault() => port.TakeFault();

    /// <summary>
    /// Shows an area, or with null none. When this returns, nothing of the last one is under way: its blocks may be another's.
    /// </summary>
    /// <param name="area">The area.</param>
    /// <param name="keepCounters">Whether counters go on, rather than start from zero.</param>
    public void Show(BlockArea? area, bool keepCounters) => Await(() =>
    {
        if (!port.TryShow(area))
        {
            return false;
        }

        if (!keepCounters)
        {
            port.Statistics.Clear();
        }

        return true;
    });

    /// <summary>What was counted.</summary>
    public BlockCounters ReadCounters() => port.Statistics.Read();

    private void Await(Func<bool> attempt)
    {
        while (true)
        {
            bool isDone = false;
            loop.Invoke(() => isDone = attempt());
            if (isDone)
            {
                return;
            }

            port.Released.Wait();
        }
    }
}
