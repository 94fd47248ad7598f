using System.Globalization;
using Arrakis.Contract;
using Arrakis.Native;
using Arrakis.Native.Pci;
using Microsoft.Extensions.Logging;

namespace Arrakis.ControlPlane.Devices.Pci;

/// <summary>Switches virtual functions of a physical function on and off (Documentation/PCI/pci-iov-howto.rst).</summary>
/// <remarks>Switching off blocks in the kernel while a process holds a virtual function through VFIO.</remarks>
internal sealed class SriovFunctions(PciBus bus, PciChangeLog log, BindChecks checks, FunctionWork work, ILogger<SriovFunctions> logger)
{
    private const string CountAttribute = "sriov_numvfs";
    private const string AutoprobeAttribute = "sriov_drivers_autoprobe";

    /// <summary>How long the kernel may take.</summary>
    internal TimeSpan Limit { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The virtual functions of a physical function, by number.</summary>
    /// <exception cref="SysfsException">There is no such function, or sysfs holds what it must not.</exception>
    internal IReadOnlyList<PciFunction> List(PciAddress physical) => [.. bus.Read(physical).VirtualFunctions.Select(bus.Read)];

    /// <summary>
    /// Gives a physical function so many virtual functions, none of which the kernel's drivers take. Where it has so many
    /// already they stay as they are; another number of them is switched off first, if none is in use.
    /// </summary>
    /// <exception cref="ArrakisException">It cannot have so many, or those that it has are in use, or the kernel refuses; it then has what it had.</exception>
    internal async Task<IReadOnlyList<PciFunction>> CreateAsync(PciAddress physical, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        PciFunction now = bus.TryRead(physical) ?? throw new ArrakisException(ErrorCode.UnknownDevice, $"The machine has no PCI function {physical}.", "'arrakisctl doctor' lists those with virtual functions.");
        if (now.SriovTotalVfs is not { } total || now.SriovNumVfs is not { } has)
        {
            throw new ArrakisException(
                ErrorCode.InvalidRequest,
                $"{physical} has no SR-IOV, so no virtual functions.",
                "Name a physical function that 'arrakisctl doctor' lists, or switch SR-IOV on in the card's and the machine's firmware.");
        }

        if (count > total)
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, $"{physical} can have {total} virtual functions, not {count}.", $"Ask for up to {total}.");
        }

        if (now.Driver is null)
        {
            throw new ArrakisException(
                ErrorCode.DeviceUnavailable,
                $"{physical} has no driver, which would switch its virtual functions on.",
                "Load the driver of the physical function.");
        }

        if (has != count)
        {
            foreach (PciFunction function in now.VirtualFunctions.Select(bus.TryRead).OfType<PciFunction>())
            {
                EnsureMayGo(function, count);
            }

            await work.RunAsync(physical, $"giving {physical} {count} virtual functions", Limit, nobodyWaits => Create(now, count, nobodyWaits)).ConfigureAwait(false);
        }

        IReadOnlyList<PciFunction> functions = List(physical);
        return functions.Count == count
            ? functions
            : throw new ArrakisException(ErrorCode.DeviceUnavailable, $"{physical} shows {functions.Count} virtual functions, not {count}.", "See the kernel's log (dmesg) for its reason.");
    }

    /// <summary>Gives a physical function as many virtual functions as it had; does nothing where nothing was changed.</summary>
    /// <exception cref="ArrakisException">The kernel refuses, or a process holds a virtual function. It stays remembered, and is done when the process lets go.</exception>
    internal Task RestoreAsync(PciAddress physical) =>
        log.FindPhysical(physical) is { } before
            ? work.RunAsync(physical, $"giving {physical} its former {before.FunctionCount} virtual functions", Limit, _ => Restore(before))
            : Task.CompletedTask;

    /// <summary>Undoes what an earlier daemon had done and nothing needs. What fails is logged and stays remembered.</summary>
    /// <param name="needed">Physical functions that stay as they are.</param>
    internal async Task RestoreLeftAsync(IReadOnlyCollection<PciAddress> needed)
    {
        foreach (SriovChange change in log.PhysicalFunctions.Where(change => !needed.Contains(change.Address)))
        {
            try
            {
                await RestoreAsync(change.Address).ConfigureAwait(false);
            }
            catch (ArrakisException e)
            {
                logger.LogWarning("{Address} keeps its virtual functions: {Error}", change.Address, e.Message);
            }
        }
    }

    private void EnsureMayGo(PciFunction function, int count)
    {
        if (function.Driver == PciFunction.VfioDriver && log.Find(function.Address) is null)
        {
            throw new ArrakisException(
                ErrorCode.DeviceInUse,
                $"{function.Address} is bound to {PciFunction.VfioDriver} by someone else, and would go away before there are {count} virtual functions.",
                "Unbind it, or ask for as many virtual functions as there are.");
        }

        checks.EnsureUnused(function);
    }

    private void Create(PciFunction before, int count, CancellationToken nobodyWaits)
    {
        PciAddress physical = before.Address;
        log.Remember(new SriovChange { Address = physical, FunctionCount = before.SriovNumVfs ?? 0, DriversAutoprobe = before.SriovDriversAutoprobe });
        try
        {
            WriteCount(physical, 0);
            nobodyWaits.ThrowIfCancellationRequested();
            if (before.SriovDriversAutoprobe is not null)
            {
                WriteAutoprobe(physical, false);
            }

            WriteCount(physical, count);
            nobodyWaits.ThrowIfCancellationRequested();
        }
        catch
        {
            work.Undo(physical, () => Restore(log.FindPhysical(physical)!));
            throw;
        }

        logger.LogInformation("{Address} has {Count} virtual functions; it had {Before}.", physical, count, before.SriovNumVfs);
    }

    private void Restore(SriovChange before)
    {
        PciAddress physical = before.Address;
        if (bus.TryRead(physical) is { SriovNumVfs: not null })
        {
            WriteCount(physical, 0);
            if (before.DriversAutoprobe is { } autoprobe)
            {
                WriteAutoprobe(physical, autoprobe); // Before the next step, so that the former functions find their drivers.
            }

            WriteCount(physical, before.FunctionCount);
            logger.LogInformation("{Address} has its former {Count} virtual functions.", physical, before.FunctionCount);
        }

        log.ForgetPhysical(physical);
    }

    private void WriteAutoprobe(PciAddress physical, bool value)
    {
        bus.Write(physical, AutoprobeAttribute, value ? "1" : "0");
        if (bus.Read(physical).SriovDriversAutoprobe != value)
        {
            throw new ArrakisException(ErrorCode.DeviceUnavailable, $"{physical}: {AutoprobeAttribute} does not change.", "See the kernel's log (dmesg) for its reason.");
        }
    }

    // From one number to another the kernel goes only by way of none (sriov_numvfs_store).
    private void WriteCount(PciAddress physical, int count)
    {
        if (bus.Read(physical).SriovNumVfs == count)
        {
            return;
        }

        try
        {
            bus.Write(physical, CountAttribute, count.ToString(CultureInfo.InvariantCulture));
        }
        catch (LinuxException e)
        {
            throw new ArrakisException(
                ErrorCode.DeviceUnavailable,
                $"{physical} does not take {count} virtual functions: {e.Message}.",
                "See the kernel's log (dmesg). Where it lacks addresses or buses, switch SR-IOV and 'above 4G decoding' on in the firmware, or boot with pci=realloc.",
                e);
        }

        PciFunction now = bus.Read(physical);
        if (now.SriovNumVfs != count || now.VirtualFunctions.Count != count)
        {
            throw new ArrakisException(
                ErrorCode.DeviceUnavailable,
                $"{physical} says that it has {now.SriovNumVfs} virtual functions and shows {now.VirtualFunctions.Count}, not {count}.",
                "See the kernel's log (dmesg) for its reason.");
        }
    }
}
