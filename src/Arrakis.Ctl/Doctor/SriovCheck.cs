using System.Globalization;
using Arrakis.Native.Pci;

namespace Arrakis.Ctl.Doctor;

/// <summary>Which functions have virtual functions to give, and can they be given?</summary>
internal static class SriovCheck
{
    private const string Name = "SR-IOV";

    internal static IEnumerable<Finding> Run(Machine machine)
    {
        PciFunction[] capable = [.. machine.Functions.Where(static function => function.SriovTotalVfs > 0)];
        return capable is []
            ? [new Finding(Name, Severity.Ok, "No PCI function has it: bindings are of software devices, which need no hardware.")]
            : capable.Select(function => Examine(machine, function));
    }

    private static Finding Examine(Machine machine, PciFunction physical)
    {
        string seen = string.Create(
            CultureInfo.InvariantCulture,
            $"{physical.Address} ({physical.VendorId:x4}:{physical.DeviceId:x4}{Names(physical)}{(physical.NumaNode is { } node ? $", NUMA node {node}" : "")}): {physical.SriovNumVfs} of {physical.SriovTotalVfs} virtual functions");
        if (physical.Driver is null)
        {
            return new Finding(Name, Severity.Problem, $"{seen}; no driver.", "Load the driver of the physical function: it sets its virtual functions up.");
        }

        if (physical.Driver == PciFunction.VfioDriver)
        {
            return new Finding(Name, Severity.Note, $"{seen}; it is itself bound to {PciFunction.VfioDriver}.", "To give virtual functions, bind it to its kernel driver.");
        }

        PciFunction[] functions = [.. physical.VirtualFunctions.Select(machine.Bus.TryRead).OfType<PciFunction>()];
        string drivers = functions is [] ? "" : $" (driver {string.Join(", ", functions.Select(static function => function.Driver ?? "none").Distinct())})";
        foreach (PciFunction function in functions)
        {
            if (function.IommuGroup is { } number && machine.Groups.FirstOrDefault(group => group.Number == number) is { } group
                && !group.IsViable([.. physical.VirtualFunctions]))
            {
                string others = string.Join(", ", group.ForeignMembers([.. physical.VirtualFunctions]).Select(static member => member.Address.ToString()).Concat(group.OtherDevices));
                return new Finding(
                    Name,
                    Severity.Problem,
                    $"{seen}{drivers}; {function.Address} shares IOMMU group {number} with {others}.",
                    "Unbind these, or move the card to a slot whose bridges isolate it (ACS).");
            }
        }

        return new Finding(Name, Severity.Ok, $"{seen}{drivers}.");
    }

    private static string Names(PciFunction function)
    {
        IEnumerable<string?> names = [function.Driver is { } driver ? $"driver {driver}" : null, .. function.NetworkInterfaces, function.NvmeController];
        return string.Concat(names.Where(static name => name is not null).Select(static name => ", " + name));
    }
}
