using Arrakis.TestBed.Machine;

namespace Arrakis.Interop.Tests.Support;

/// <summary>The initial RAM disk of a guest: busybox, drivers, programs, and a shell that is spoken to through a console.</summary>
internal static class GuestImage
{
    /// <summary>The programs of the guest, in one that needs no library.</summary>
    public const string Busybox = "/bin/busybox";

    // A line is a command; what it writes comes back, ended by a line with its exit code. Nothing echoes.
    private const string Init = """
        #!/bin/busybox sh
        /bin/busybox --install -s /bin
        mount -t proc proc /proc
        mount -t sysfs sysfs /sys
        mount -t devtmpfs devtmpfs /dev
        mount -t tmpfs tmpfs /tmp
        for module in MODULES; do
            insmod /$module.ko
        done
        exec setsid sh -c 'exec </dev/hvc0 >/dev/hvc0 2>&1
        stty raw -echo
        echo "END 0"
        while read -r line; do
            eval "$line"
            echo "END $?"
        done
        poweroff -f'
        """;

    /// <summary>Makes it as a file.</summary>
    /// <param name="folder">A folder of its own, which need not be there.</param>
    /// <param name="modules">The kernel's modules that it has loaded, in the order in which they need each other.</param>
    /// <param name="programs">This machine's programs that it has beside busybox's, where they are here, with their libraries.</param>
    public static async Task<string> BuildAsync(string folder, IReadOnlyList<string> modules, IReadOnlyList<string> programs)
    {
        string root = Path.Combine(folder, "root");
        string image = Path.Combine(folder, "initrd");
        foreach (string name in new[] { "bin", "proc", "sys", "dev", "tmp" })
        {
            _ = Directory.CreateDirectory(Path.Combine(root, name));
        }

        string init = Path.Combine(root, "init");
        await File.WriteAllTextAsync(init, Init.Replace("MODULES", string.Join(' ', modules), StringComparison.Ordinal), TestContext.Current.CancellationToken);
        File.SetUnixFileMode(init, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        string build = $"cd '{root}' && cp {Busybox} bin/busybox && "
            + string.Concat(modules.Select(static module => $"bin/busybox xzcat '{Laboratory.Module(module)}' >{module}.ko && "))
            + string.Concat(programs.Select(static program =>
                $"for file in {program} $(ldd {program} | grep -o '/[^ ]*'); do mkdir -p \".${{file%/*}}\" && cp -L \"$file\" \".$file\" || exit 1; done && "))
            + $"find . | bin/busybox cpio -o -H newc >'{image}' 2>/dev/null";
        await Command.RunAsync("sh", ["-c", build], TestContext.Current.CancellationToken);
        return image;
    }
}
