using System.Globalization;
using System.Text.RegularExpressions;

namespace Arrakis.ControlPlane.Devices.Vfio;

/// <summary>An access that the IOMMU has blocked, as the kernel reports it.</summary>
/// <param name="Function">The function: bus, device and number, without the domain, which the kernel leaves out.</param>
/// <param name="Address">The address that it used.</param>
/// <param name="IsWrite">Whether it wanted to write; false where it wanted to read, or the kernel does not say.</param>
internal readonly partial record struct DmaFault(string Function, ulong Address, bool IsWrite)
{
    /// <summary>Reads a line of the kernel's log.</summary>
    internal static bool TryParse(string line, out DmaFault fault)
    {
        Match match = Intel().Match(line);
        if (!match.Success)
        {
            match = Amd().Match(line);
        }

        fault = default;
        if (!match.Success || !ulong.TryParse(match.Groups["address"].ValueSpan, NumberStyles.HexNumber, CultureInfo.InvariantCulture, out ulong address))
        {
            return false;
        }

        fault = new DmaFault(match.Groups["function"].Value, address, match.Groups["kind"].ValueSpan is "Write");
        return true;
    }

    // drivers/iommu/intel/dmar.c, dmar_fault_do_one: translation faults, not those of interrupts.
    [GeneratedRegex(@"^DMAR: \[DMA (?<kind>Read|Write)[^\]]*\] Request device \[(?<function>[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])\] fault addr 0x(?<address>[0-9a-f]{1,16})\b", RegexOptions.CultureInvariant)]
    private static partial Regex Intel();

    // drivers/iommu/amd/iommu.c, amd_iommu_report_page_fault.
    [GeneratedRegex(@"IO_PAGE_FAULT (?:device=|domain=\S+ device=)?\[?(?:device=)?(?:[0-9a-f]{4}:)?(?<function>[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])\b.*?address=0x(?<address>[0-9a-f]{1,16})\b", RegexOptions.CultureInvariant)]
    private static partial Regex Amd();
}
