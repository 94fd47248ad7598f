using Arrakis.Contract;
using Arrakis.Native.Pci;
using Microsoft.Extensions.Logging;

namespace Arrakis.ControlPlane.Devices.Pci;

/// <summary>Takes functions from the kernel's drivers for vfio-pci, and gives them back (Documentation/driver-api/vfio.rst). Whether they may be taken, <see cref="BindChecks"/> says.</summary>
internal sealed class DriverBinding(PciBus bus, PciChangeLog log, FunctionWork work, ILogger<DriverBinding> logger)
{
    private const string OverrideAttribute = "driver_override";
    private const string UnbindAttribute = "driver/unbind";

    /// <summary>How long the kernel may take.</summary>
    internal TimeSpan Limit { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Binds a function to vfio-pci. What it was before is remembered; one that is bound already is left as it is.</summary>
    /// <exception cref="ArrakisException">There is no such function or driver, or the kernel refuses; the function is then what it was.</exception>
    internal Task BindAsync(PciAddress address)
    {
        if (!bus.HasDriver(PciFunction.VfioDriver))
        {
            throw new ArrakisException(ErrorCode.NoVfio, $"The kernel has no driver {PciFunction.VfioDriver}.", "Run 'modprobe vfio-pci', and name it in /etc/modules-load.d.");
        }

        return work.RunAsync(address, $"binding {address} to {PciFunction.VfioDriver}", Limit, nobodyWaits => Bind(address, nobodyWaits));
    }

    /// <summary>Gives a function back to the driver that it had; does nothing where nothing was changed, and no more than forget where the function is gone.</summary>
    /// <exception cref="ArrakisException">The kernel refuses, or a process holds the device. It stays remembered.</exception>
    internal Task RestoreAsync(PciAddress address) =>
        log.Find(address) is { } before ? work.RunAsync(address, $"giving {address} back to {before.Driver ?? "no driver"}", Limit, _ => Restore(before)) : Task.CompletedTask;

    /// <summary>Gives back what an earlier daemon had bound and no binding needs. What fails is logged and stays remembered.</summary>
    /// <param name="needed">Functions that stay as they are.</param>
    internal Task RestoreLeftAsync(IReadOnlyCollection<PciAddress> needed) =>
        RestoreAllAsync(log.Functions.Select(static change => change.Address).Where(address => !needed.Contains(address)));

    /// <summary>Gives functions back. What fails is logged and stays remembered.</summary>
    internal async Task RestoreAllAsync(IEnumerable<PciAddress> addresses)
    {
        foreach (PciAddress address in addresses)
        {
            try
            {
                await RestoreAsync(address).ConfigureAwait(false);
            }
            catch (ArrakisException e)
            {
                logger.LogWarning("{Address} was not given back: {Error}", address, e.Message);
            }
        }
    }

    private void Bind(PciAddress address, CancellationToken nobodyWaits)
    {
        PciFunction before = bus.Read(address);
        if (before.Driver == PciFunction.VfioDriver)
        {
            return;
        }

        log.Remember(new FunctionChange
        {
            Address = address,
            VendorId = before.VendorId,
            DeviceId = before.DeviceId,
            Driver = before.Driver,
            DriverOverride = before.DriverOverride,
        });
        try
        {
            // The override first: no other driver then takes the function between the next two steps.
            bus.Write(address, OverrideAttribute, PciFunction.VfioDriver);
            Verify(address, static function => function.DriverOverride == PciFunction.VfioDriver, $"driver_override does not become {PciFunction.VfioDriver}");
            nobodyWaits.ThrowIfCancellationRequested();
            Unbind(address);
            nobodyWaits.ThrowIfCancellationRequested();
            bus.Probe(address);
            Verify(address, static function => function.Driver == PciFunction.VfioDriver, $"{PciFunction.VfioDriver} does not take it");
            nobodyWaits.ThrowIfCancellationRequested();
        }
        catch
        {
            work.Undo(address, () => Restore(log.Find(address)!));
            throw;
        }

        logger.LogInformation("{Address} is bound to {Driver}; it was bound to {Before}.", address, PciFunction.VfioDriver, before.Driver ?? "no driver");
    }

    private void Restore(FunctionChange before)
    {
        PciAddress address = before.Address;
        if (bus.TryRead(address) is not { } now || now.VendorId != before.VendorId || now.DeviceId != before.DeviceId)
        {
            log.Forget(address); // It is gone, such as a virtual function of a physical one that was switched off.
            return;
        }

        if (now.DriverOverride == PciFunction.VfioDriver && before.DriverOverride != PciFunction.VfioDriver)
        {
            bus.Write(address, OverrideAttribute, before.DriverOverride ?? "");
            Verify(address, function => function.DriverOverride == before.DriverOverride, $"driver_override does not become '{before.DriverOverride}' again");
        }

        if (now.Driver == PciFunction.VfioDriver)
        {
            Unbind(address);
        }

        if (before.Driver is { } driver && bus.Read(address).Driver is null)
        {
            if (bus.HasDriver(driver))
            {
                bus.Bind(address, driver);
                Verify(address, function => function.Driver == driver, $"{driver} does not take it back");
            }
            else
            {
                logger.LogWarning("{Address} stays without a driver: {Driver} is not in the kernel any more.", address, driver);
            }
        }

        log.Forget(address);
        logger.LogInformation("{Address} is given back to {Driver}.", address, before.Driver ?? "no driver");
    }

    private void Unbind(PciAddress address)
    {
        if (bus.Read(address).Driver is not { } driver)
        {
            return;
        }

        bus.Write(address, UnbindAttribute, address.ToString());
        Verify(address, static function => function.Driver is null, $"{driver} does not let go of it");
    }

    private void Verify(PciAddress address, Func<PciFunction, bool> isSo, string fault)
    {
        if (!isSo(bus.Read(address)))
        {
            throw new ArrakisException(ErrorCode.DeviceUnavailable, $"{address}: {fault}.", "See the kernel's log (dmesg) for its reason.");
        }
    }
}
