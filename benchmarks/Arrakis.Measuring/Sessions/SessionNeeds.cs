namespace Arrakis.Measuring.Sessions;

/// <summary>What a run needs of the machine.</summary>
public sealed record SessionNeeds
{
    /// <summary>Programs that start, join and mount things.</summary>
    private static readonly RequiredProgram[] s_base =
    [
        new("ip", "iproute2"), new("mount", "mount"), new("umount", "mount"), new("nsenter", "util-linux"), new("setsid", "util-linux"),
    ];

    /// <summary>Programs of a measurement beside DPDK.</summary>
    public static IReadOnlyList<RequiredProgram> Dpdk { get; } = [new("dpdk-testpmd", "dpdk-dev"), new("stdbuf", "coreutils")];

    /// <summary>The cores that are measured.</summary>
    public required IReadOnlyList<int> Cores { get; init; }

    /// <summary>Which options name other cores, for the remedy.</summary>
    public required string CoreOptions { get; init; }

    /// <summary>Free pages of 2 MiB; what is missing is reserved and given back.</summary>
    public required int HugePages { get; init; }

    /// <summary>Programs beside those that every run needs.</summary>
    public IReadOnlyList<RequiredProgram> Programs { get; init; } = [];

    /// <summary>Whether system calls are counted, by the kernel's tracing files.</summary>
    public bool CountsSystemCalls { get; init; }

    /// <summary>Whether a TAP interface is made.</summary>
    public bool HasUplink { get; init; }

    /// <summary>All programs.</summary>
    internal IEnumerable<RequiredProgram> AllPrograms => s_base.Concat(Programs);
}

/// <summary>A program of others.</summary>
/// <param name="Name">Its name, to be found in the PATH.</param>
/// <param name="Package">Debian's package that has it.</param>
public sealed record RequiredProgram(string Name, string Package);
