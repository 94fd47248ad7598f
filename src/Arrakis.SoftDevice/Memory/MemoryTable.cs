using System.Runtime.CompilerServices;
using Arrakis.Native.Memory;

namespace Arrakis.SoftDevice.Memory;

/// <summary>A region of a front end's memory, mapped here.</summary>
/// <param name="Mapping">The mapping; the table owns it.</param>
/// <param name="Offset">Where in the mapping the region starts.</param>
/// <param name="Size">Bytes of the region.</param>
/// <param name="Iova">What descriptors call its first byte.</param>
/// <param name="FrontEnd">What SET_VRING_ADDR calls its first byte.</param>
public sealed record MappedRegion(MemoryMapping Mapping, long Offset, ulong Size, Iova Iova, FrontEndAddress FrontEnd);

/// <summary>
/// All memory of a front end that the device may touch. Every address that a front end names is translated here, and
/// an address that is not wholly inside one region has no translation.
/// </summary>
public sealed unsafe class MemoryTable : IDisposable
{
    private readonly MappedRegion[] _owned;
    private readonly Region[] _regions;

    /// <summary>Takes ownership of mapped regions.</summary>
    /// <exception cref="ArgumentException">A region is not inside its mapping, its addresses wrap, or they are another region's too.</exception>
    public MemoryTable(params ReadOnlySpan<MappedRegion> regions)
    {
        _owned = regions.ToArray();
        _regions = new Region[_owned.Length];
        for (int i = 0; i < _owned.Length; i++)
        {
            MappedRegion region = _owned[i];
            if (region.Offset < 0 || region.Offset > region.Mapping.Length
                || region.Size == 0 || region.Size > (ulong)(region.Mapping.Length - region.Offset)
                || region.Iova.Value + (region.Size - 1) < region.Iova.Value
                || region.FrontEnd.Value + (region.Size - 1) < region.FrontEnd.Value)
            {
                throw new ArgumentException($"Region {i} is not inside its mapping, or its addresses wrap.", nameof(regions));
            }

            for (int other = 0; other < i; other++)
            {
                if (_regions[other].Overlaps(region))
                {
                    throw new ArgumentException($"Regions {other} and {i} overlap.", nameof(regions));
                }
            }

            _regions[i] = new Region(region.Iova.Value, region.FrontEnd.Value, region.Size, region.Mapping.Start + region.Offset);
        }
    }

    /// <summary>Whether a file was truncated under its mapping, and touched.</summary>
    public bool IsFaulted
    {
        get
        {
            foreach (MappedRegion region in _owned)
            {
                if (region.Mapping.IsFaulted)
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>Where the bytes of a descriptor are here; null where they are not wholly inside one region.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* Translate(Iova address, ulong length)
    {
        foreach (ref readonly Region region in _regions.AsSpan())
        {
            // Unsigned: an address below the region becomes a huge offset. No sum can overflow.
            ulong offset = address.Value - region.Iova;
            if (offset < region.Size && length <= region.Size - offset)
            {
                return region.Start + offset;
            }
        }

        return null;
    }

    /// <summary>Where a part of a ring is here; null where it is not wholly inside one region.</summary>
    public byte* Translate(FrontEndAddress address, ulong length)
    {
        foreach (ref readonly Region region in _regions.AsSpan())
        {
            ulong offset = address.Value - region.FrontEnd;
            if (offset < region.Size && length <= region.Size - offset)
            {
                return region.Start + offset;
            }
        }

        return null;
    }

    /// <summary>Unmaps everything. No ring may use it any more.</summary>
    public void Dispose()
    {
        foreach (MappedRegion region in _owned)
        {
            region.Mapping.Dispose();
        }
    }

    private readonly struct Region(ulong iova, ulong frontEnd, ulong size, byte* start)
    {
        public readonly ulong Iova = iova;
        public readonly ulong FrontEnd = frontEnd;
        public readonly ulong Size = size;
        public readonly byte* Start = start;

        // Neither wraps, so one starts inside the other or they are apart.
        public bool Overlaps(MappedRegion other) =>
            Overlaps(Iova, other.Iova.Value, other.Size) || Overlaps(FrontEnd, other.FrontEnd.Value, other.Size);

        private bool Overlaps(ulong start, ulong otherStart, ulong otherSize) => start - otherStart < otherSize || otherStart - start < Size;
    }
}
