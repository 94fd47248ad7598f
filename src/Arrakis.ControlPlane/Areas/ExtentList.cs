using System.Collections.Immutable;
using Arrakis.Contract;

namespace Arrakis.ControlPlane.Areas;

/// <summary>Arithmetic on lists of extents: gaps, joining, cutting out.</summary>
internal static class ExtentList
{
    internal static long End(this BlockExtent extent) => extent.Start + extent.Count;

    /// <summary>The same blocks in the order of their addresses, neighbours joined. The extents must not overlap.</summary>
    internal static ImmutableArray<BlockExtent> Sort(IEnumerable<BlockExtent> extents) => Join(extents.OrderBy(static extent => extent.Start));

    /// <summary>The same blocks in the same order; an extent that the next one continues is joined with it.</summary>
    internal static ImmutableArray<BlockExtent> Join(IEnumerable<BlockExtent> extents)
    {
        ImmutableArray<BlockExtent>.Builder joined = ImmutableArray.CreateBuilder<BlockExtent>();
        foreach (BlockExtent extent in extents)
        {
            if (joined.Count > 0 && joined[^1].End() == extent.Start)
            {
                joined[^1] = joined[^1] with { Count = joined[^1].Count + extent.Count };
            }
            else
            {
                joined.Add(extent);
            }
        }

        return joined.ToImmutable();
    }

    /// <summary>What is between extents, from 0 to an end, in the order of addresses.</summary>
    internal static List<BlockExtent> Gaps(IEnumerable<BlockExtent> used, long end)
    {
        List<BlockExtent> gaps = [];
        long at = 0;
        foreach (BlockExtent extent in used.OrderBy(static extent => extent.Start))
        {
            if (extent.Start > at)
            {
                gaps.Add(new BlockExtent(at, extent.Start - at));
            }

            at = extent.End();
        }

        if (end > at)
        {
            gaps.Add(new BlockExtent(at, end - at));
        }

        return gaps;
    }

    /// <summary>The blocks of sorted extents without those of one that lies in a single one of them; null where it does not.</summary>
    internal static ImmutableArray<BlockExtent>? Cut(ImmutableArray<BlockExtent> sorted, BlockExtent part)
    {
        int at = part.Count > 0 ? IndexOfHolder(sorted, part) : -1;
        if (at < 0)
        {
            return null;
        }

        BlockExtent holder = sorted[at];
        BlockExtent[] rest = [new(holder.Start, part.Start - holder.Start), new(part.End(), holder.End() - part.End())];
        return sorted.RemoveAt(at).InsertRange(at, rest.Where(static extent => extent.Count > 0));
    }

    /// <summary>
    /// Chooses blocks: what continues the extent before, then the smallest gap that holds all the rest, and only where none does the
    /// largest ones, so that an area has few extents. Null where there are not so many blocks.
    /// </summary>
    internal static List<BlockExtent>? Choose(List<BlockExtent> gaps, long blocks, long? continues)
    {
        if (gaps.Sum(static gap => gap.Count) < blocks)
        {
            return null;
        }

        List<BlockExtent> chosen = [];
        List<BlockExtent> left = [.. gaps];
        if (continues is { } start && left.FindIndex(gap => gap.Start == start) is >= 0 and int next)
        {
            Take(next);
        }

        while (blocks > 0)
        {
            long wanted = blocks;
            Take(left.Exists(gap => gap.Count >= wanted)
                ? IndexOfBest(left, gap => gap.Count >= wanted ? -gap.Count : long.MinValue)
                : IndexOfBest(left, static gap => gap.Count));
        }

        return chosen;

        void Take(int index)
        {
            BlockExtent taken = left[index] with { Count = Math.Min(left[index].Count, blocks) };
            chosen.Add(taken);
            left.RemoveAt(index);
            blocks -= taken.Count;
        }
    }

    private static int IndexOfBest(List<BlockExtent> gaps, Func<BlockExtent, long> worth)
    {
        int best = 0;
        for (int i = 1; i < gaps.Count; i++)
        {
            best = worth(gaps[i]) > worth(gaps[best]) ? i : best;
        }

        return best;
    }

    private static int IndexOfHolder(ImmutableArray<BlockExtent> sorted, BlockExtent part)
    {
        for (int i = 0; i < sorted.Length; i++)
        {
            if (sorted[i].Start <= part.Start && part.Count <= sorted[i].End() - part.Start)
            {
                return i;
            }
        }

        return -1;
    }
}
