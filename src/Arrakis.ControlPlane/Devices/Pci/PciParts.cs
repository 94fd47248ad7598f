using Arrakis.Native.Pci;
using Microsoft.Extensions.Logging;

namespace Arrakis.ControlPlane.Devices.Pci;

/// <summary>The part of the daemon that changes PCI functions, put together. A second one over the same folder is the daemon after a crash.</summary>
internal sealed class PciParts
{
    internal PciParts(PciBus bus, KernelUse use, PciChangeLog log, TimeProvider time, ILoggerFactory loggers)
    {
        Bus = bus;
        Log = log;
        Checks = new BindChecks(bus, use);
        var work = new FunctionWork(time, loggers.CreateLogger<FunctionWork>());
        Drivers = new DriverBinding(bus, log, work, loggers.CreateLogger<DriverBinding>());
        Sriov = new SriovFunctions(bus, log, Checks, work, loggers.CreateLogger<SriovFunctions>());
    }

    internal PciBus Bus { get; }

    internal PciChangeLog Log { get; }

    internal BindChecks Checks { get; }

    internal DriverBinding Drivers { get; }

    internal SriovFunctions Sriov { get; }

    /// <summary>Over the machine's own functions.</summary>
    /// <param name="runtimeDirectory">Where the record of changes is.</param>
    /// <param name="time">Bounds how long the kernel may take.</param>
    /// <param name="loggers">For each part.</param>
    internal static PciParts OfMachine(string runtimeDirectory, TimeProvider time, ILoggerFactory loggers)
    {
        var bus = new PciBus();
        string bootId = File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();
        PciChangeLog log = PciChangeLog.Open(runtimeDirectory, bootId, loggers.CreateLogger<PciChangeLog>());
        return new PciParts(bus, new KernelUse(new DiskUse(bus), new NetworkUse(bus)), log, time, loggers);
    }
}
