namespace Arrakis.Interop.Tests.Support;

/// <summary>What scripts/setup has fetched for virtual machines: a kernel as its distribution has built it.</summary>
internal static class Laboratory
{
    // The build's output is artifacts/build/bin/PROJECT/CONFIGURATION.
    private static readonly string s_folder = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../../lab/kernel"));

    public static string Kernel => Present(Path.Combine(s_folder, "vmlinuz"));

    /// <summary>A module of the kernel, compressed by xz.</summary>
    public static string Module(string name) => Present(Path.Combine(s_folder, $"{name}.ko.xz"));

    private static string Present(string path) =>
        File.Exists(path) ? path : throw new FileNotFoundException($"{path} is not there: run scripts/setup test.", path);
}
