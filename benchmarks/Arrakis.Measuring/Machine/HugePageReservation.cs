using Arrakis.Native.Memory;
using Arrakis.TestBed.Machine;

namespace Arrakis.Measuring.Machine;

/// <summary>Sees to it that some hugepages are free, and gives the pool its former size afterwards.</summary>
public static class HugePageReservation
{
    /// <summary>Reserves what is missing.</summary>
    /// <param name="wanted">Pages of 2 MiB that are to be free.</param>
    /// <param name="teardown">Where the restoring is noted.</param>
    /// <returns>A warning where the kernel gave fewer; null otherwise.</returns>
    public static string? Ensure(int wanted, Teardown teardown)
    {
        int free = HugePages.Free;
        if (free >= wanted)
        {
            return null;
        }

        int former = HugePages.Total;
        try
        {
            teardown.Add("restore the hugepage pool", () => _ = HugePages.Reserve(former));
            _ = HugePages.Reserve(former + wanted - free);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"Hugepages cannot be reserved ({e.Message}); queue memory is on 4 KiB pages.";
        }

        free = HugePages.Free;
        return free >= wanted ? null : $"Only {free} of {wanted} hugepages are free; some queue memory may be on 4 KiB pages.";
    }
}
