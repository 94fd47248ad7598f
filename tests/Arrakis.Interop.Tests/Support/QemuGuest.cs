using System.Globalization;
using System.Text;
using Arrakis.TestBed.Machine;
using Arrakis.TestBed.Processes;
using Arrakis.Wire.Virtio;

namespace Arrakis.Interop.Tests.Support;

/// <summary>A Linux guest in QEMU, emulated, with one function of the software device for a device.</summary>
internal sealed class QemuGuest : IAsyncDisposable
{
    private const string Program = "qemu-system-x86_64";
    private const string EndMark = "END ";

    private readonly ChildProcess _process;
    private readonly string _log;

    private QemuGuest(ChildProcess process, string log)
    {
        _process = process;
        _log = log;
    }

    /// <summary>What its kernel has written to the serial line.</summary>
    public string KernelLog => File.Exists(_log) ? File.ReadAllText(_log) : "";

    /// <summary>Boots one with a network interface, eth0, and waits for its shell.</summary>
    /// <param name="folder">For its RAM disk and its log.</param>
    /// <param name="socket">The virtual function's socket.</param>
    /// <param name="mac">Its hardware address.</param>
    /// <param name="properties">More properties of virtio-net-pci.</param>
    public static Task<QemuGuest> BootAsync(string folder, string socket, string mac, string properties) => BootAsync(
        folder,
        socket,
        ["-netdev", "vhost-user,id=net,chardev=device", "-device", $"virtio-net-pci,netdev=net,mac={mac},disable-legacy=on,romfile=,{properties}"],
        ["failover", "net_failover", "virtio_net"],
        []);

    /// <summary>Boots one with a disk, vda, and waits for its shell.</summary>
    /// <param name="folder">For its RAM disk and its log.</param>
    /// <param name="socket">The block function's socket.</param>
    /// <param name="properties">More properties of vhost-user-blk-pci.</param>
    public static Task<QemuGuest> BootWithDiskAsync(string folder, string socket, string properties) => BootAsync(
        folder,
        socket,
        ["-device", $"vhost-user-blk-pci,chardev=device,disable-legacy=on,{properties}"],
        ["virtio_blk", "crc32c_generic", "crc16", "mbcache", "jbd2", "ext4"],
        ["/sbin/mkfs.ext4"]);

    private static async Task<QemuGuest> BootAsync(string folder, string socket, IReadOnlyList<string> device, IReadOnlyList<string> modules, IReadOnlyList<string> programs)
    {
        Prerequisite.Require(Program, "qemu-system-x86");
        Prerequisite.Require(GuestImage.Busybox, "busybox-static");
        string image = await GuestImage.BuildAsync(folder, modules, programs);
        string log = Path.Combine(folder, "kernel.log");
        string[] arguments =
        [
            "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "1", "-m", "256M", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-machine", "q35,vmport=off,smbus=off,sata=off,usb=off,graphics=off,hpet=off,memory-backend=ram",

            // The device maps the guest's memory: it has to be a file that can be passed and shared.
            "-object", "memory-backend-memfd,id=ram,size=256M,share=on",
            "-chardev", $"socket,id=device,path={socket}",
            .. device,
            "-chardev", "stdio,id=shell,signal=off", "-device", "virtio-serial-pci", "-device", "virtconsole,chardev=shell",
            "-serial", $"file:{log}",
            "-kernel", Laboratory.Kernel, "-initrd", image,
            "-append", "console=ttyS0 quiet mitigations=off random.trust_cpu=on tsc=reliable panic=-1 nokaslr no_timer_check",
        ];
        var guest = new QemuGuest(ChildProcess.Start("the guest", null, Program, arguments, ChildEnding.Signal), log);
        try
        {
            _ = await guest.AnswerAsync();
            return guest;
        }
        catch
        {
            await guest.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs a line of shell in the guest and returns what it writes.</summary>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    public async Task<string> RunAsync(string command)
    {
        Assert.DoesNotContain('\n', command);
        await _process.WriteLineAsync(command, TestContext.Current.CancellationToken);
        (int code, string text) = await AnswerAsync();
        return code == 0 ? text : throw new InvalidOperationException($"'{command}' failed in the guest with code {code}: {text}\n{KernelLog}");
    }

    /// <summary>What the guest's driver of a device has negotiated.</summary>
    /// <param name="device">Its folder in sysfs.</param>
    public async Task<VirtioFeatures> FeaturesAsync(string device)
    {
        // A character for each bit, the lowest first.
        string bits = (await RunAsync($"cat {device}/features")).Trim();
        return (VirtioFeatures)bits.Select(static (bit, index) => bit == '1' ? 1UL << index : 0).Aggregate(0UL, static (all, bit) => all | bit);
    }

    public ValueTask DisposeAsync() => _process.DisposeAsync();

    private async Task<(int Code, string Text)> AnswerAsync()
    {
        var text = new StringBuilder();
        while (true)
        {
            string line;
            try
            {
                line = (await _process.ReadLineAsync(Transfers.Patience, TestContext.Current.CancellationToken)).TrimEnd('\r');
            }
            catch (TimeoutException e)
            {
                throw new TimeoutException($"The guest says nothing more than '{text}'. Its kernel: {KernelLog}\nQEMU: {_process.Errors}", e);
            }

            if (line.StartsWith(EndMark, StringComparison.Ordinal))
            {
                return (int.Parse(line[EndMark.Length..], CultureInfo.InvariantCulture), text.ToString());
            }

            _ = text.AppendLine(line);
        }
    }
}
