using System.Runtime.InteropServices;
using Arrakis.Hardware.Tests.Support;
using Microsoft.Win32.SafeHandles;
using Tmds.Linux;

namespace Arrakis.Hardware.Tests.Nvme;

/// <summary>A namespace through the kernel's own nvme driver, past its page cache (O_DIRECT).</summary>
internal sealed class KernelDisk : IDisposable
{
    private const int Alignment = 4096;
    private const int Piece = 256 << 10;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly SafeFileHandle _file;
    private readonly unsafe byte* _buffer = (byte*)NativeMemory.AlignedAlloc(Piece, Alignment);

    private KernelDisk(string path)
    {
        using var opened = Native.Descriptor.Open(path, LibC.O_RDWR | LibC.O_DIRECT);
        _file = new SafeFileHandle(LibC.dup(opened.Number), ownsHandle: true);
    }

    /// <summary>Opens the first namespace of a controller that the kernel has; waits for it to appear.</summary>
    public static async Task<KernelDisk> OpenAsync(PciFunction function)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            string? disk = NameOf(function);
            if (disk is not null && File.Exists($"/dev/{disk}"))
            {
                return new KernelDisk($"/dev/{disk}");
            }

            Assert.True(TimeProvider.System.GetElapsedTime(start) < s_patience, $"The kernel shows no disk on {function}.");
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>The disk's name; null while there is none.</summary>
    public static string? NameOf(PciFunction function)
    {
        string folder = Path.Combine(function.Folder, "nvme");
        string? controller = Directory.Exists(folder) ? Directory.GetDirectories(folder).FirstOrDefault() : null;
        return controller is null
            ? null
            : Directory.GetDirectories(controller, "nvme*n*").Select(Path.GetFileName).FirstOrDefault(static name => name is not null && !name.Contains('c', StringComparison.Ordinal));
    }

    public unsafe void Write(DiskPattern pattern)
    {
        for (long done = 0; done < pattern.Length; done += Piece)
        {
            var bytes = new Span<byte>(_buffer, (int)Math.Min(Piece, pattern.Length - done));
            pattern.Fill(bytes, pattern.Start + done);
            RandomAccess.Write(_file, bytes, pattern.Start + done);
        }

        RandomAccess.FlushToDisk(_file);
    }

    public unsafe void Check(DiskPattern pattern)
    {
        for (long done = 0; done < pattern.Length; done += Piece)
        {
            var bytes = new Span<byte>(_buffer, (int)Math.Min(Piece, pattern.Length - done));
            Assert.Equal(bytes.Length, RandomAccess.Read(_file, bytes, pattern.Start + done));
            pattern.Check(bytes, pattern.Start + done);
        }
    }

    public unsafe void Dispose()
    {
        _file.Dispose();
        NativeMemory.AlignedFree(_buffer);
    }
}
