using Arrakis.Contract;
using Arrakis.Native;
using Arrakis.Native.Memory;

namespace Arrakis.ControlPlane.Bindings;

/// <summary>The daemon's writable side of a status page.</summary>
internal sealed class StatusPage : IDisposable
{
    private readonly MemoryFile _file;
    private readonly MemoryMapping _mapping;

    private StatusPage(MemoryFile file)
    {
        _file = file;
        _mapping = MemoryMapping.Map(file.Descriptor, 0, StatusPageLayout.Length, MappingAccess.ReadWrite);
    }

    internal Descriptor Descriptor => _file.Descriptor;

    internal BindingState State => (BindingState)_mapping.LoadUInt32(StatusPageLayout.State);

    /// <summary>Makes a page that nobody else can write: sealed, and of mode 0600 against a reopening through /proc.</summary>
    internal static StatusPage Create(ulong bindingId, uint generation)
    {
        MemoryFile file = MemoryFile.Create($"arrakis-status-{bindingId}", StatusPageLayout.Length, PagePreference.BaseOnly);
        try
        {
            file.SetMode(0x180); // 0600
            file.AddSeals(MemorySeals.Grow | MemorySeals.Shrink | MemorySeals.Seal);
            var page = new StatusPage(file);
            page._mapping.Store(StatusPageLayout.Magic, StatusPageLayout.MagicValue);
            page._mapping.Store(StatusPageLayout.Version, StatusPageLayout.VersionValue);
            page._mapping.Store(StatusPageLayout.Generation, generation);
            page._mapping.Store(StatusPageLayout.BindingId, bindingId);
            return page;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Maps the page of an earlier daemon.</summary>
    internal static StatusPage Adopt(Descriptor descriptor) =>
        new(new MemoryFile(descriptor, StatusPageLayout.Length, MemoryFile.BasePageSize));

    /// <summary>Whether the page is that of a binding.</summary>
    internal bool IsOf(ulong bindingId, uint generation) =>
        _mapping.LoadUInt64(StatusPageLayout.Magic) == StatusPageLayout.MagicValue
        && _mapping.LoadUInt64(StatusPageLayout.BindingId) == bindingId
        && _mapping.LoadUInt32(StatusPageLayout.Generation) == generation;

    internal Descriptor OpenReadOnlyCopy() => _file.OpenReadOnlyCopy();

    internal void SetState(BindingState state) => _mapping.Store(StatusPageLayout.State, (uint)state);

    /// <summary>Sets the link's state; each loss of the link counts.</summary>
    internal void SetLink(bool up)
    {
        uint value = up ? 1u : 0u;
        if (_mapping.LoadUInt32(StatusPageLayout.LinkState) == value)
        {
            return;
        }

        if (!up)
        {
            _mapping.Store(StatusPageLayout.LinkEpoch, _mapping.LoadUInt32(StatusPageLayout.LinkEpoch) + 1);
        }

        _mapping.Store(StatusPageLayout.LinkState, value);
    }

    internal bool IsLinkUp => _mapping.LoadUInt32(StatusPageLayout.LinkState) != 0;

    /// <summary>Asks for units back by a deadline.</summary>
    internal void RequestBack(ResourceKind kind, uint units, long deadlineNanoseconds)
    {
        _mapping.Store(StatusPageLayout.RequestedUnits, units);
        _mapping.Store(StatusPageLayout.RequestedKind, (uint)kind);
        _mapping.Store(StatusPageLayout.Deadline, (ulong)deadlineNanoseconds);
        SetState(BindingState.RevocationRequested);
    }

    /// <summary>Records what was taken, and then that it was.</summary>
    internal void Repossess(IReadOnlyList<RepossessionEntry> vector, BindingState state)
    {
        int count = Math.Min(vector.Count, StatusPageLayout.MaxRepossessionEntries);
        for (int i = 0; i < count; i++)
        {
            long at = StatusPageLayout.RepossessionVector + (long)i * StatusPageLayout.RepossessionEntryLength;
            _mapping.Store(at, (uint)vector[i].Kind);
            _mapping.Store(at + 8, vector[i].First);
            _mapping.Store(at + 16, vector[i].Count);
            _mapping.Store(at + 24, (ulong)vector[i].TimestampNanoseconds);
        }

        _mapping.Store(StatusPageLayout.RepossessionCount, (uint)count);
        SetState(state);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _mapping.Dispose();
        _file.Dispose();
    }
}
