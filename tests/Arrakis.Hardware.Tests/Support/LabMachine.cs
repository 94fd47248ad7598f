namespace Arrakis.Hardware.Tests.Support;

/// <summary>What the lab's machine has; scripts/lab/boot makes it so.</summary>
internal static class LabMachine
{
    /// <summary>The trait that names the machine which a test needs; a test without it gets the one with an IOMMU.</summary>
    public const string Trait = "machine";

    /// <summary>The trait's value for the machine without an IOMMU.</summary>
    public const string WithoutIommu = "no-iommu";

    /// <summary>The trait's value for what rehearses a machine that stops: the test of scripts/lab/run-tests runs it.</summary>
    public const string Rehearsal = "rehearsal";

    /// <summary>Hugepages of 2 MiB, reserved when it boots.</summary>
    public const int HugePages = 128;

    /// <summary>An ordinary user.</summary>
    public const int FirstUser = 1001;

    /// <summary>Another one.</summary>
    public const int SecondUser = 1002;

    private const string Parameter = "arrakis.machine=";

    /// <summary>The machine's name, or null where this is not the lab.</summary>
    public static string? Kind { get; } = File.ReadAllText("/proc/cmdline")
        .Split((char[])[' ', '\n'])
        .FirstOrDefault(static word => word.StartsWith(Parameter, StringComparison.Ordinal))?[Parameter.Length..];

    /// <summary>An 82576: Ethernet with SR-IOV, 7 VFs. On one wire with <see cref="VirtioNet"/>.</summary>
    public static PciFunction Igb { get; } = new("0000:01:00.0");

    /// <summary>An NVMe controller with SR-IOV: a subsystem of 4 secondary controllers, which share namespace 1.</summary>
    public static PciFunction Nvme { get; } = new("0000:02:00.0");

    /// <summary>An NVMe controller without SR-IOV, with a namespace of its own.</summary>
    public static PciFunction PlainNvme { get; } = new("0000:03:00.0");

    /// <summary>A modern virtio network device behind the IOMMU, which has packed rings.</summary>
    public static PciFunction VirtioNet { get; } = new("0000:04:00.0");

    /// <summary>All that tests may take away from the kernel.</summary>
    public static IReadOnlyList<PciFunction> Functions { get; } = [Igb, Nvme, PlainNvme, VirtioNet];
}
