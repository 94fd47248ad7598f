using Arrakis.ControlPlane.Devices.Vfio;
using Arrakis.ControlPlane.Hosting;
using Arrakis.Native;
using Arrakis.Native.Events;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Arrakis.ControlPlane.Bindings;

/// <summary>
/// Reports accesses that the IOMMU has blocked against the binding whose function made them. The kernel limits how many it logs, so
/// the count says that there were some, not how many.
/// </summary>
internal sealed class DmaFaultWatch(Ledger ledger, ReadinessLoop loop, IOptions<DaemonOptions> options, ILogger<DmaFaultWatch> logger) : BackgroundService
{
    /// <summary>Counts a fault and logs it.</summary>
    internal void Report(DmaFault fault)
    {
        foreach (Binding binding in ledger.All())
        {
            if (binding.Device.BusAddressOf(binding.Function) is { } address && address.EndsWith(fault.Function, StringComparison.Ordinal))
            {
                long count = binding.CountDmaFault();
                logger.LogWarning(
                    "Binding {Binding}: the IOMMU has blocked its function {Function}, which wanted to {Access} 0x{Address:x}; {Count} such faults so far. Its process is {ProcessId}, {Executable}.",
                    binding.Id, address, fault.IsWrite ? "write" : "read", fault.Address, count, binding.Record.ProcessId, binding.Record.Executable);
            }
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!options.Value.Devices.Any(static device => device is HardwareDeviceOptions))
        {
            return; // Nothing here goes through an IOMMU.
        }

        try
        {
            using KernelLog log = KernelLog.OpenAtEnd();
            while (true)
            {
                while (log.TryRead() is { } line)
                {
                    if (DmaFault.TryParse(line, out DmaFault fault))
                    {
                        Report(fault);
                    }
                }

                await loop.WaitAsync(log.Descriptor, Readiness.Read, stoppingToken).ConfigureAwait(false);
            }
        }
        catch (LinuxException e)
        {
            logger.LogWarning("Faults of the IOMMU are not reported: {Fault}", e.Message);
        }
        catch (OperationCanceledException)
        {
            // The daemon stops.
        }
    }
}
