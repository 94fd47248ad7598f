using Arrakis.TestBed.Machine;

namespace Arrakis.Interop.Tests.Support;

/// <summary>What scripts/fetch-kernel has fetched for virtual machines: a kernel as its distribution has built it.</summary>
internal static class Laboratory
{
    private const string Origin = "Debian's kernel";

    // The build's output is artifacts/build/bin/PROJECT/CONFIGURATION.
    private static readonly string s_folder = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../../lab/kernel"));

    public static string Kernel => Prerequisite.File(Path.Combine(s_folder, "vmlinuz"), Origin);

    /// <summary>A module of the kernel, compressed by xz.</summary>
    public static string Module(string name) => Prerequisite.File(Path.Combine(s_folder, $"{name}.ko.xz"), Origin);
}
