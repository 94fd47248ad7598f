using System.Runtime.CompilerServices;
using Arrakis.Wire;

namespace Arrakis.DataPlane.Link;

/// <summary>
/// Neighbours by address: sets of four entries, the set chosen by a hash, so that a lookup touches little memory and
/// nobody can make the table grow.
/// </summary>
internal sealed class NeighbourTable
{
    /// <summary>Sets of entries.</summary>
    public const int Sets = 64;

    /// <summary>Entries of a set.</summary>
    public const int Ways = 4;

    // The last one is never filled: it is what a lookup gives that finds nothing.
    private readonly Neighbour[] _entries = new Neighbour[Sets * Ways + 1];

    /// <summary>All entries, the free ones too.</summary>
    public Span<Neighbour> Entries => _entries.AsSpan(0, Sets * Ways);

    /// <summary>Finds a neighbour; <see cref="IsMissing"/> says whether it is there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref Neighbour Find(Ipv4Address address)
    {
        int first = FirstOf(address);
        for (int i = first; i < first + Ways; i++)
        {
            if (_entries[i].Address == address)
            {
                return ref _entries[i];
            }
        }

        return ref _entries[Sets * Ways];
    }

    /// <summary>Whether <see cref="Find"/> found nothing.</summary>
    public static bool IsMissing(ref readonly Neighbour neighbour) => neighbour.Address == Ipv4Address.Any;

    /// <summary>The entry that a new neighbour would take: a free one, or else the one that expires first. The caller clears it.</summary>
    public ref Neighbour Victim(Ipv4Address address)
    {
        int first = FirstOf(address);
        int victim = first;
        for (int i = first; i < first + Ways; i++)
        {
            if (_entries[i].Address == Ipv4Address.Any)
            {
                return ref _entries[i];
            }

            if (_entries[i].Expires < _entries[victim].Expires)
            {
                victim = i;
            }
        }

        return ref _entries[victim];
    }

    /// <summary>The first entry of an address's set, by Fibonacci hashing: neighbours of one network differ in their last bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int FirstOf(Ipv4Address address) => (int)(address.Value * 2654435769u >> 26) * Ways;
}
