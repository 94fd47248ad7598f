using System.Text;
using Arrakis.TestBed.Machine;

namespace Arrakis.Hardware.Tests.Support;

/// <summary>What the kernel logs from a moment on, such as the faults of an IOMMU.</summary>
internal sealed class KernelLog
{
    private readonly string _mark = $"arrakis: mark {Guid.NewGuid()}";

    private KernelLog() => Write(_mark);

    /// <summary>Starts here.</summary>
    public static KernelLog FromNow() => new();

    /// <summary>Adds a line.</summary>
    public static void Write(string line)
    {
        // A record is what one write(2) has, and nobody sees it before its newline.
        using var log = new FileStream("/dev/kmsg", FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        log.Write(Encoding.UTF8.GetBytes(line + "\n"));
    }

    /// <summary>What it has logged since.</summary>
    public async Task<string> ReadAsync()
    {
        string text = await Command.ReadAsync("dmesg", [], TestContext.Current.CancellationToken);
        int start = text.LastIndexOf(_mark, StringComparison.Ordinal);
        Assert.True(start >= 0, "The kernel has logged so much since that the mark is gone.");
        return text[(start + _mark.Length)..];
    }
}
