using System.Runtime.CompilerServices;
using Arrakis.Contract;
using Arrakis.Native;
using Arrakis.Native.Memory;

namespace Arrakis.DataPlane.Memory;

/// <summary>Reads the status page through which the control plane speaks to a holder. A poll is two loads of one cached line.</summary>
internal sealed unsafe class StatusPageReader : IDisposable
{
    private readonly MemoryMapping _mapping;
    private readonly byte* _page;

    private StatusPageReader(MemoryMapping mapping)
    {
        _mapping = mapping;
        _page = mapping.Start;
    }

    /// <summary>The binding's state.</summary>
    public BindingState State
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (BindingState)Volatile.Read(ref *(uint*)(_page + StatusPageLayout.State));
    }

    /// <summary>Link state (low half) and epoch (high half), read at once.</summary>
    public ulong Link
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Volatile.Read(ref *(ulong*)(_page + StatusPageLayout.LinkState));
    }

    /// <summary>Whether the link is up.</summary>
    public bool LinkUp => (uint)Link != 0;

    /// <summary>How often the link has gone down.</summary>
    public uint LinkEpoch => (uint)(Link >> 32);

    /// <summary>What is asked back; valid while <see cref="State"/> is <see cref="BindingState.RevocationRequested"/>.</summary>
    public RevocationRequest Request => new(
        (ResourceKind)Volatile.Read(ref *(uint*)(_page + StatusPageLayout.RequestedKind)),
        Volatile.Read(ref *(uint*)(_page + StatusPageLayout.RequestedUnits)),
        Volatile.Read(ref *(long*)(_page + StatusPageLayout.Deadline)));

    /// <summary>Maps a page and checks that it is the grant's.</summary>
    /// <exception cref="InvalidGrantException">It is too short, of another layout, or of another binding.</exception>
    public static StatusPageReader Map(BindingGrant grant, Descriptor file)
    {
        long real = MemoryFile.GetLength(file);
        if (real < StatusPageLayout.Length)
        {
            throw new InvalidGrantException($"The status page has {real} bytes, not {StatusPageLayout.Length}.");
        }

        var reader = new StatusPageReader(MemoryMapping.Map(file, 0, StatusPageLayout.Length, MappingAccess.Read));
        try
        {
            reader.Check(grant);
            return reader;
        }
        catch
        {
            reader.Dispose();
            throw;
        }
    }

    /// <summary>What was taken, as far as it is recorded.</summary>
    public RepossessionEntry[] ReadRepossessionVector()
    {
        uint count = Math.Min(Volatile.Read(ref *(uint*)(_page + StatusPageLayout.RepossessionCount)), StatusPageLayout.MaxRepossessionEntries);
        var entries = new RepossessionEntry[count];
        for (int i = 0; i < entries.Length; i++)
        {
            byte* entry = _page + StatusPageLayout.RepossessionVector + i * StatusPageLayout.RepossessionEntryLength;
            entries[i] = new RepossessionEntry(
                (ResourceKind)Volatile.Read(ref *(uint*)entry),
                Volatile.Read(ref *(ulong*)(entry + 8)),
                Volatile.Read(ref *(ulong*)(entry + 16)),
                Volatile.Read(ref *(long*)(entry + 24)));
        }

        return entries;
    }

    public void Dispose() => _mapping.Dispose();

    private void Check(BindingGrant grant)
    {
        ulong magic = Volatile.Read(ref *(ulong*)(_page + StatusPageLayout.Magic));
        uint version = Volatile.Read(ref *(uint*)(_page + StatusPageLayout.Version));
        if (magic != StatusPageLayout.MagicValue || version != StatusPageLayout.VersionValue)
        {
            throw new InvalidGrantException($"The status page has magic 0x{magic:x} and version {version}, not 0x{StatusPageLayout.MagicValue:x} and {StatusPageLayout.VersionValue}.");
        }

        uint generation = Volatile.Read(ref *(uint*)(_page + StatusPageLayout.Generation));
        ulong binding = Volatile.Read(ref *(ulong*)(_page + StatusPageLayout.BindingId));
        if (generation != grant.Generation || binding != grant.BindingId)
        {
            throw new InvalidGrantException($"The status page is of binding {binding} generation {generation}, the grant of binding {grant.BindingId} generation {grant.Generation}.");
        }
    }
}
