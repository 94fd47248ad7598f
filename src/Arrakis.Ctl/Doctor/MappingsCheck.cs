using System.Globalization;

namespace Arrakis.Ctl.Doctor;

/// <summary>How many DMA mappings may a container have?</summary>
internal static class MappingsCheck
{
    private const string Name = "DMA mappings";
    private const string Limit = "sys/module/vfio_iommu_type1/parameters/dma_entry_limit";
    private const long Few = 1024; // A binding's memory is one mapping for each hugepage at worst.

    internal static IEnumerable<Finding> Run(Machine machine)
    {
        if (machine.ReadNumber(Limit) is not { } limit)
        {
            return []; // The module is not loaded: nothing to say beside what VFIO's own check says.
        }

        string seen = string.Create(CultureInfo.InvariantCulture, $"Up to {limit} in each container (dma_entry_limit).");
        return [limit < Few ? new Finding(Name, machine.MissingForHardware, seen, "Load vfio_iommu_type1 with dma_entry_limit=65535.") : new Finding(Name, Severity.Ok, seen)];
    }
}
