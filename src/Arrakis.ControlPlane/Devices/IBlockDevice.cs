using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Bindings;
using Arrakis.Wire.Rings;

namespace Arrakis.ControlPlane.Devices;

/// <summary>What a block device says of its blocks.</summary>
/// <param name="BlockSize">Bytes of a block: a power of two, 512 to 65536.</param>
/// <param name="BlockCount">Blocks that it has in all.</param>
/// <param name="Capabilities">What its queues can do.</param>
/// <param name="MaxTransferLength">The most bytes of one request; whole blocks.</param>
/// <param name="NamespaceId">The NVMe namespace; 0 where it is none.</param>
internal sealed record BlockGeometry(int BlockSize, long BlockCount, StorageCapabilities Capabilities, int MaxTransferLength, uint NamespaceId = 0);

/// <summary>A whole disk that is simply there, as one area: nothing is allocated on it.</summary>
/// <param name="Name">The area's name.</param>
/// <param name="Function">The function that is the disk.</param>
/// <param name="Owner">Whose it is, and nobody else's: nothing in front of it would keep a reader from writing.</param>
internal sealed record WholeDisk(string Name, int Function, uint Owner);

/// <summary>A device of blocks, on which storage areas are.</summary>
internal interface IBlockDevice : IDevice
{
    /// <summary>What a function's blocks are like; null while that is not known, because the device has not answered yet.</summary>
    BlockGeometry? GeometryOf(int function);

    /// <summary>
    /// Whether a function shows an area as a disk of its own, from block 0 on, and refuses all else. Where not, every function reaches the
    /// whole namespace: the grant carries the extents, and only the holder's library keeps to them.
    /// </summary>
    bool ShowsAreas { get; }

    /// <summary>Disks that are areas as they are; where there are any, the device has no others.</summary>
    IReadOnlyList<WholeDisk> WholeDisks => [];

    /// <summary>The layout of its rings.</summary>
    RingFormat RingFormat => OwnRingFormat ?? RingFormat.Split;

    /// <summary>Makes a function show an area. A device that does not show areas takes note of nothing.</summary>
    /// <param name="function">The function.</param>
    /// <param name="extents">Where the area's blocks are on the device, in their order.</param>
    /// <param name="readOnly">Whether writes are refused.</param>
    /// <param name="keepCounters">Whether counters go on, rather than start from zero.</param>
    /// <param name="cancellation">Gives up.</param>
    Task ConfigureAreaAsync(int function, IReadOnlyList<BlockExtent> extents, bool readOnly, bool keepCounters, CancellationToken cancellation);

    /// <summary>Takes a function's area.</summary>
    Task ClearAreaAsync(int function, CancellationToken cancellation);

    /// <summary>Makes blocks read as zeros, durably: so that an area shows nothing of one that had them before. It may take as long as the blocks are many.</summary>
    /// <exception cref="ArrakisException">The device does not do it.</exception>
    Task ZeroAsync(IReadOnlyList<BlockExtent> extents, CancellationToken cancellation);

    /// <summary>Counters by function; none where it does not count.</summary>
    Task<IReadOnlyList<BlockCounters>> ReadBlockCountersAsync(CancellationToken cancellation) => Task.FromResult<IReadOnlyList<BlockCounters>>([]);

    Task IDevice.ConfigureAsync(BindingRecord record, bool keepCounters, CancellationToken cancellation)
    {
        var grant = (StorageGrant)record.Grant;
        return ConfigureAreaAsync(grant.VirtualFunction, record.Extents, grant.Access == AreaAccess.Read, keepCounters, cancellation);
    }

    Task IDevice.ClearAsync(int function, CancellationToken cancellation) => ClearAreaAsync(function, cancellation);
}
