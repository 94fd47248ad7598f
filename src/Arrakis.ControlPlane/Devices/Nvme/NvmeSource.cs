using Arrakis.Contract;
using Arrakis.ControlPlane.Devices.Pci;
using Arrakis.ControlPlane.Devices.Vfio;
using Arrakis.ControlPlane.Hosting;
using Arrakis.Native;
using Arrakis.Native.Pci;
using Arrakis.Native.Storage;

namespace Arrakis.ControlPlane.Devices.Nvme;

/// <summary>Where the functions of an NVMe device come from: a whole controller, or virtual functions of one, which are made here.</summary>
internal sealed class NvmeSource(NvmeDeviceOptions options, PciBus bus, SriovFunctions sriov, FunctionTaking taking)
{
    private IReadOnlyList<PciAddress> _functions = [];
    private PciAddress? _physical;

    /// <summary>Checks that the functions may be taken, makes them, gives their controllers queues, and gives them to VFIO.</summary>
    /// <exception cref="ArrakisException">They may not, or the kernel or the controller does not give them.</exception>
    internal async Task<PreparedFunctions> PrepareAsync()
    {
        if (options.PhysicalFunction is { } parent)
        {
            _physical = PciAddress.Parse(parent);
            IReadOnlyList<PciFunction> functions = await sriov.CreateAsync(_physical.Value, options.Functions).ConfigureAwait(false);
            _functions = [.. functions.Select(static function => function.Address)];
            await Task.Run(() => BringUp(_physical.Value, functions)).ConfigureAwait(false);
        }
        else
        {
            _functions = [PciAddress.Parse(options.Function!)];
        }

        PreparedFunctions prepared = await taking.TakeAsync(_functions, options.Vfio).ConfigureAwait(false);
        if (prepared.Driver is not NvmeDriver)
        {
            await taking.RestoreAsync(_functions).ConfigureAwait(false);
            throw new ArrakisException(ErrorCode.InvalidRequest, $"{_functions[0]} is no NVMe controller.", "Name one of the class 0108 (lspci -nn), or make a device of another kind.");
        }

        return prepared;
    }

    /// <summary>Gives all functions back to the drivers that had them.</summary>
    internal async Task RestoreAsync()
    {
        await taking.RestoreAsync(_functions).ConfigureAwait(false);
        if (_physical is { } physical)
        {
            await sriov.RestoreAsync(physical).ConfigureAwait(false);
        }
    }

    // Functions that VFIO has already are an earlier daemon's, and may be at work: they have what they need.
    private void BringUp(PciAddress physical, IReadOnlyList<PciFunction> functions)
    {
        if (functions.Any(static function => function.Driver == PciFunction.VfioDriver))
        {
            return;
        }

        string name = bus.Read(physical).NvmeController
            ?? throw new ArrakisException(ErrorCode.DeviceUnavailable, $"{physical} has no NVMe controller of the kernel's.", "Load its driver (modprobe nvme).");
        try
        {
            using var device = new NvmeCharacterDevice($"/dev/{name}");
            SecondaryControllers.Of(device).BringUp(functions.Count);
        }
        catch (LinuxException e)
        {
            throw new ArrakisException(ErrorCode.DeviceUnavailable, $"/dev/{name} cannot be opened: {e.Message}.", "Run the daemon with the rights to it.", e);
        }
    }
}
