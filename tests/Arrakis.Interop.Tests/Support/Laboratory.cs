namespace Arrakis.Interop.Tests.Support;

/// <summary>What scripts/setup has installed and fetched for these tests, and what DPDK leaves on the machine.</summary>
internal static class Laboratory
{
    private const string DpdkRuntime = "/var/run/dpdk";

    // The build's output is artifacts/build/bin/PROJECT/CONFIGURATION.
    private static readonly string s_folder = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../../lab/kernel"));

    /// <summary>A kernel for virtual machines, as its distribution has built it.</summary>
    public static string Kernel => Present(Path.Combine(s_folder, "vmlinuz"), "Debian's kernel");

    /// <summary>A module of the kernel, compressed by xz.</summary>
    public static string Module(string name) => Present(Path.Combine(s_folder, $"{name}.ko.xz"), "Debian's kernel");

    /// <summary>Fails, and says what to do, where a program is not installed.</summary>
    /// <param name="program">Its path, or its name where it is to be in the PATH.</param>
    /// <param name="package">Debian's package that has it.</param>
    public static void Require(string program, string package)
    {
        string path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Append("/usr/sbin").Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists, program);
        _ = Present(path, $"Debian's package {package}");
    }

    /// <summary>Deletes what a DPDK process that has ended leaves.</summary>
    public static void DeleteDpdkRuntime(string prefix)
    {
        string files = Path.Combine(DpdkRuntime, prefix);
        if (Directory.Exists(files))
        {
            Directory.Delete(files, recursive: true);
        }
    }

    private static string Present(string path, string origin) =>
        File.Exists(path) ? path : throw new FileNotFoundException($"{path} is not there ({origin}): run scripts/setup test.", path);
}
