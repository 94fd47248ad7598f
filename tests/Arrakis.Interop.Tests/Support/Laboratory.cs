using Arrakis.TestBed.Machine;

namespace Arrakis.Interop.Tests.Support;

/// <summary>The kernel that scripts/setup has fetched for virtual machines.</summary>
internal static class Laboratory
{
    // The build's output is artifacts/build/bin/PROJECT/CONFIGURATION.
    private static readonly string s_folder = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../../lab/kernel"));

    /// <summary>A kernel, as its distribution has built it.</summary>
    public static string Kernel => Installed.File(Path.Combine(s_folder, "vmlinuz"), "Debian's kernel");

    /// <summary>A module of the kernel, compressed by xz.</summary>
    public static string Module(string name) => Installed.File(Path.Combine(s_folder, $"{name}.ko.xz"), "Debian's kernel");
}
