using System.Text.Json.Serialization;

namespace Arrakis.ControlPlane.Hosting;

/// <summary>Block functions of a software device: all areas are in one file, or on one of the kernel's block devices.</summary>
internal sealed record SoftBlockOptions
{
    /// <summary>The file; it is there already, and is as long as the areas may become together.</summary>
    public required string File { get; init; }

    /// <summary>Bytes of a block.</summary>
    public int BlockSize { get; set; } = 4096;

    /// <summary>Block functions: how many areas can be bound at once.</summary>
    public int Functions { get; set; } = 8;
}

/// <summary>The block functions of a software device, as a device of their own.</summary>
internal sealed record SoftBlockDeviceOptions : DeviceOptions
{
    /// <summary>What is put behind the software device's name.</summary>
    internal const string NameSuffix = "-blk";

    /// <summary>The file and its blocks.</summary>
    public required SoftBlockOptions Blocks { get; init; }

    /// <summary>Those of a software device.</summary>
    internal static SoftBlockDeviceOptions Of(SoftDeviceOptions soft, SoftBlockOptions blocks) =>
        new() { Name = soft.Name + NameSuffix, QueueSizeMax = soft.QueueSizeMax, QueuePairsMax = soft.QueuePairsMax, Blocks = blocks };
}

/// <summary>A vhost-user block back end that someone else runs, such as qemu-storage-daemon: each socket is a whole disk.</summary>
internal sealed record VhostUserBlockDeviceOptions : DeviceOptions
{
    /// <summary>The disks.</summary>
    public required IReadOnlyList<VhostUserDiskOptions> Disks { get; init; }
}

/// <summary>A disk behind a socket: one storage area that is simply there.</summary>
internal sealed record VhostUserDiskOptions
{
    /// <summary>The socket.</summary>
    public required string Socket { get; init; }

    /// <summary>The area's name.</summary>
    public required string Area { get; init; }

    /// <summary>The user who may bind it.</summary>
    public uint Owner { get; set; }
}

/// <summary>An NVMe controller, or virtual functions of one.</summary>
internal sealed record NvmeDeviceOptions : DeviceOptions
{
    /// <summary>The PCI address of a whole controller.</summary>
    public string? Function { get; set; }

    /// <summary>The PCI address of the controller whose virtual functions are used.</summary>
    public string? PhysicalFunction { get; set; }

    /// <summary>Virtual functions.</summary>
    public int Functions { get; set; } = 1;

    /// <summary>Which of VFIO's interfaces is used.</summary>
    public VfioChoice Vfio { get; set; } = VfioChoice.Auto;

    /// <summary>What becomes of a function whose former holder does not close it.</summary>
    public QuarantinePolicy Quarantine { get; set; } = QuarantinePolicy.Wait;

    /// <summary>The namespace that storage areas are on.</summary>
    public uint Namespace { get; set; } = 1;

    /// <summary>How many functions it has.</summary>
    [JsonIgnore]
    internal int FunctionCount => PhysicalFunction is null ? 1 : Functions;
}
