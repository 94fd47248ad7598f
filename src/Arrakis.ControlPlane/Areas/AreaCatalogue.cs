using System.Collections.Immutable;
using Arrakis.Contract;

namespace Arrakis.ControlPlane.Areas;

/// <summary>
/// The storage areas of one block device: names, owners, and which blocks are whose. A change is durable when its method returns; one that
/// throws has changed nothing, but where the catalogue's own file failed. For any thread.
/// </summary>
/// <remarks>
/// No block goes from one area to another before it was zeroed: what a deleted area had is <see cref="TakeUnzeroed"/>, zeroed on the device,
/// and free after <see cref="MarkZeroed"/>.
/// </remarks>
internal sealed class AreaCatalogue : IDisposable
{
    private readonly Lock _changes = new();
    private readonly CatalogueStore _store;
    private readonly ReaderWriterLockSlim _presence = new(); // Read: an area's blocks are being used by name. Written: an area goes. Taken inside of the other.
    private readonly List<BlockExtent> _beingZeroed = []; // Under the lock; parts of the state's unzeroed extents.
    private volatile CatalogueState _state;

    private AreaCatalogue(CatalogueStore store)
    {
        _store = store;
        _state = store.Stored;
    }

    /// <summary>The device.</summary>
    internal CatalogueGeometry Geometry => _state.Geometry;

    /// <summary>What was wrong with a copy of the catalogue when it was opened, and was mended from the other one; for the log.</summary>
    internal IReadOnlyList<string> Mended => _store.Mended;

    /// <summary>The areas, by name.</summary>
    internal IEnumerable<Area> Areas => _state.Areas.Values;

    /// <summary>Blocks that areas may be given now.</summary>
    internal long FreeBlocks => _state.Free().Sum(static extent => extent.Count);

    /// <summary>Blocks that are to be zeroed.</summary>
    internal long UnzeroedBlocks => _state.Unzeroed.Sum(static extent => extent.Count);

    /// <summary>Opens a device's catalogue, or makes one where there is none.</summary>
    /// <param name="place">Its file.</param>
    /// <param name="device">The device as it is now. One that has grown gets its new blocks zeroed.</param>
    /// <param name="id">What a new catalogue is to be known by: random.</param>
    /// <param name="isZeroed">Whether a new catalogue may take it that the device has nothing but zeros.</param>
    /// <exception cref="ArrakisException">The file is broken or not this device's (<see cref="ErrorCode.DataCorrupt"/>), or cannot be used.</exception>
    internal static AreaCatalogue OpenOrCreate(ICataloguePlace place, CatalogueGeometry device, Guid id, bool isZeroed)
    {
        if (!device.IsValid)
        {
            throw new ArrakisException(
                ErrorCode.InvalidRequest,
                $"A device of {device.BlockCount} blocks of {device.BlockSize} bytes has no room for a storage area of {device.UnitBlocks} blocks.",
                "Give it more room.");
        }

        CatalogueStore store = CatalogueStore.Open(place) ?? CatalogueStore.Create(place, Empty(device, id, isZeroed));
        try
        {
            FitDevice(store, device);
            return new AreaCatalogue(store);
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    /// <summary>The area of that name, or null.</summary>
    internal Area? Find(string name) => _state.Areas.GetValueOrDefault(name);

    /// <summary>The area of that number, or null: a name may have gone to another area meanwhile, a number does not.</summary>
    internal Area? Find(ulong id) => _state.Areas.Values.FirstOrDefault(area => area.Id == id);

    /// <summary>Makes an area.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="length">Bytes; rounded up to whole units.</param>
    /// <param name="owner">Its owner.</param>
    /// <exception cref="ArrakisException">No such name or length (<see cref="ErrorCode.InvalidRequest"/>), a name taken (<see cref="ErrorCode.AreaExists"/>), no room (<see cref="ErrorCode.StorageExhausted"/>).</exception>
    internal Area Create(string name, long length, uint owner)
    {
        lock (_changes)
        {
            CheckNew(name);
            if (_state.Areas.Count == CatalogueState.MaxAreas)
            {
                throw new ArrakisException(ErrorCode.StorageExhausted, $"The device has {CatalogueState.MaxAreas} storage areas, which is all it takes.", "Delete one, or use another device.");
            }

            var area = new Area(_state.NextAreaId, name, owner, SharedRead: false, Allocate([], Blocks(length)));
            return Put(_state with { NextAreaId = area.Id + 1 }, area);
        }
    }

    /// <summary>Makes an area longer.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="length">Bytes that it is to have; rounded up to whole units.</param>
    /// <exception cref="ArrakisException">There is none (<see cref="ErrorCode.UnknownArea"/>), it is longer already (<see cref="ErrorCode.InvalidRequest"/>), no room (<see cref="ErrorCode.StorageExhausted"/>).</exception>
    internal Area Grow(string name, long length)
    {
        lock (_changes)
        {
            Area area = Require(name);
            long more = Blocks(length) - area.BlockCount;
            if (more < 0)
            {
                throw new ArrakisException(
                    ErrorCode.InvalidRequest,
                    $"Storage area '{name}' has {area.BlockCount * Geometry.BlockSize} bytes, more than {length}, and areas do not shrink.",
                    "Make a smaller area, copy what is to stay, and delete this one.");
            }

            return more == 0 ? area : Put(_state, area with { Extents = Allocate(area.Extents, more) });
        }
    }

    /// <summary>Deletes an area. Its blocks are to be zeroed before anybody gets them.</summary>
    /// <exception cref="ArrakisException">There is none (<see cref="ErrorCode.UnknownArea"/>), or too much is to be zeroed already (<see cref="ErrorCode.StorageExhausted"/>).</exception>
    internal Area Delete(string name)
    {
        lock (_changes)
        {
            Area area = Require(name);
            CatalogueState next = _state with { Areas = _state.Areas.Remove(name), Unzeroed = ExtentList.Sort(_state.Unzeroed.Concat(area.Extents)) };
            CheckUnzeroed(next);
            _presence.EnterWriteLock();
            try
            {
                Store(next);
            }
            finally
            {
                _presence.ExitWriteLock();
            }

            return area;
        }
    }

    /// <summary>Changes an area's name, owner, or whether others may read it; what is null stays.</summary>
    /// <exception cref="ArrakisException">There is none (<see cref="ErrorCode.UnknownArea"/>), no such name (<see cref="ErrorCode.InvalidRequest"/>), a name taken (<see cref="ErrorCode.AreaExists"/>).</exception>
    internal Area Change(string name, string? newName = null, uint? owner = null, bool? sharedRead = null)
    {
        lock (_changes)
        {
            Area area = Require(name);
            Area changed = area with { Name = newName ?? name, Owner = owner ?? area.Owner, SharedRead = sharedRead ?? area.SharedRead };
            if (changed.Name != name)
            {
                CheckNew(changed.Name);
            }

            return changed == area ? area : Put(_state with { Areas = _state.Areas.Remove(name) }, changed);
        }
    }

    /// <summary>Keeps an area from being deleted while its blocks are used, which must not take long. Ends on the thread that it began on.</summary>
    /// <exception cref="ArrakisException">There is none of that number (<see cref="ErrorCode.UnknownArea"/>).</exception>
    internal Presence Hold(ulong id)
    {
        _presence.EnterReadLock();
        if (Find(id) is { } area)
        {
            return new Presence(this, area);
        }

        _presence.ExitReadLock();
        throw new ArrakisException(ErrorCode.UnknownArea, "The storage area was deleted.", "List the areas.");
    }

    /// <summary>Blocks to be zeroed next, at most so many; null where there are none that nobody has taken. Who takes them marks or returns them.</summary>
    internal BlockExtent? TakeUnzeroed(long maxBlocks)
    {
        lock (_changes)
        {
            foreach (BlockExtent extent in _state.Unzeroed)
            {
                List<BlockExtent> left = [.. ExtentList.Gaps(_beingZeroed.Where(taken => taken.Start >= extent.Start && taken.End() <= extent.End())
                    .Select(taken => taken with { Start = taken.Start - extent.Start }), extent.Count)];
                if (left.Count > 0)
                {
                    long count = Math.Min(left[0].Count, Math.Max(maxBlocks - maxBlocks % Geometry.UnitBlocks, Geometry.UnitBlocks));
                    BlockExtent part = new(extent.Start + left[0].Start, count);
                    _beingZeroed.Add(part);
                    return part;
                }
            }

            return null;
        }
    }

    /// <summary>Says that blocks that were taken are zero now, durably: they are free.</summary>
    internal void MarkZeroed(BlockExtent extent)
    {
        lock (_changes)
        {
            if (!_beingZeroed.Contains(extent) || ExtentList.Cut(_state.Unzeroed, extent) is not { } unzeroed)
            {
                throw new ArgumentException($"{extent} was not taken to be zeroed.", nameof(extent));
            }

            CatalogueState next = _state with { Unzeroed = unzeroed };
            CheckUnzeroed(next);
            Store(next);
            _beingZeroed.Remove(extent);
        }
    }

    /// <summary>Gives back blocks that were taken and could not be zeroed; they are taken again.</summary>
    internal void ReturnUnzeroed(BlockExtent extent)
    {
        lock (_changes)
        {
            _beingZeroed.Remove(extent);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _store.Dispose();
        _presence.Dispose();
    }

    private static CatalogueState Empty(CatalogueGeometry device, Guid id, bool isZeroed) =>
        new(id, device, NextAreaId: 1, CatalogueState.NoAreas, isZeroed ? [] : [new BlockExtent(0, device.UsableBlocks)]);

    private static void FitDevice(CatalogueStore store, CatalogueGeometry device)
    {
        CatalogueState state = store.Stored;
        if (state.Geometry.BlockSize != device.BlockSize || state.Geometry.BlockCount > device.BlockCount)
        {
            throw new ArrakisException(
                ErrorCode.DataCorrupt,
                $"The catalogue {store.Path} is for a device of {state.Geometry.BlockCount} blocks of {state.Geometry.BlockSize} bytes; this one has {device.BlockCount} of {device.BlockSize}.",
                "Configure the device and the catalogue that belong together.");
        }

        if (state.Geometry.BlockCount < device.BlockCount)
        {
            CatalogueGeometry grown = state.Geometry with { BlockCount = device.BlockCount };
            BlockExtent added = new(state.Geometry.UsableBlocks, grown.UsableBlocks - state.Geometry.UsableBlocks);
            store.Store(state with { Geometry = grown, Unzeroed = added.Count > 0 ? ExtentList.Sort(state.Unzeroed.Append(added)) : state.Unzeroed });
        }
    }

    private static void CheckUnzeroed(CatalogueState state)
    {
        if (state.Unzeroed.Length > CatalogueState.MaxUnzeroedExtents)
        {
            throw new ArrakisException(ErrorCode.StorageExhausted, $"More than {CatalogueState.MaxUnzeroedExtents} pieces of the device would wait for zeroing.", "Wait until blocks of areas that were deleted earlier are zeroed.");
        }
    }

    private Area Require(string name) =>
        Find(name) ?? throw new ArrakisException(ErrorCode.UnknownArea, $"There is no storage area '{name}' on the device.", "List the areas.");

    private void CheckNew(string name)
    {
        AreaName.Check(name);
        if (Find(name) is not null)
        {
            throw new ArrakisException(ErrorCode.AreaExists, $"There is a storage area '{name}' already.", "Take another name.");
        }
    }

    private long Blocks(long length)
    {
        long unit = (long)Geometry.UnitBlocks * Geometry.BlockSize;
        if (length <= 0)
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, $"A storage area cannot have {length} bytes.", "Give it a positive length.");
        }

        return length / unit >= Geometry.UsableBlocks / Geometry.UnitBlocks + 1
            ? Geometry.UsableBlocks + 1 // More than there is, and small enough to reckon with.
            : (length + unit - 1) / unit * Geometry.UnitBlocks;
    }

    private ImmutableArray<BlockExtent> Allocate(ImmutableArray<BlockExtent> present, long blocks)
    {
        List<BlockExtent> free = _state.Free();
        if (ExtentList.Choose(free, blocks, present.IsEmpty ? null : present[^1].End()) is not { } chosen)
        {
            throw new ArrakisException(
                ErrorCode.StorageExhausted,
                $"{blocks * Geometry.BlockSize} bytes are asked for, and {free.Sum(static extent => extent.Count) * Geometry.BlockSize} are free on the device.",
                UnzeroedBlocks > 0
                    ? $"Wait until {UnzeroedBlocks * Geometry.BlockSize} bytes of it are zeroed, or delete an area."
                    : "Ask for less, or delete an area.");
        }

        ImmutableArray<BlockExtent> extents = ExtentList.Join(present.Concat(chosen));
        if (extents.Length > Area.MaxExtents || _state.AreaExtents - present.Length + extents.Length > CatalogueState.MaxAreaExtents)
        {
            throw new ArrakisException(
                ErrorCode.StorageExhausted,
                $"What is free on the device is in so many pieces that the area would have {extents.Length}; an area may have {Area.MaxExtents}, all together {CatalogueState.MaxAreaExtents}.",
                "Ask for less, or delete areas next to each other.");
        }

        return extents;
    }

    private Area Put(CatalogueState state, Area area)
    {
        Store(state with { Areas = state.Areas.SetItem(area.Name, area) });
        return area;
    }

    private void Store(CatalogueState state)
    {
        _store.Store(state);
        _state = state;
    }
    /// <summary>An area that is there until this is disposed.</summary>
    internal readonly ref struct Presence(AreaCatalogue catalogue, Area area)
    {
        /// <summary>The area as it is.</summary>
        internal Area Area => area;

        /// <summary>Lets it go.</summary>
        public void Dispose() => catalogue._presence.ExitReadLock();
    }
}
