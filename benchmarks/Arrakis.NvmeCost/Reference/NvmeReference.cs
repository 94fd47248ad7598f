using System.Runtime.InteropServices;

namespace Arrakis.NvmeCost.Reference;

/// <summary>The driver and the controller in C (nvme_reference.c).</summary>
internal static partial class NvmeReference
{
    private const string Library = "libnvme_reference";

    [LibraryImport(Library, EntryPoint = "nvme_device_open")]
    public static partial nint OpenDevice(int memory, int registers, in Layout layout);

    /// <summary>Completes all that was submitted; returns how many.</summary>
    [LibraryImport(Library, EntryPoint = "nvme_device_serve")]
    [SuppressGCTransition]
    public static partial int Serve(nint device);

    [LibraryImport(Library, EntryPoint = "nvme_driver_open")]
    public static partial nint OpenDriver(int memory, int registers, in Layout layout);

    [LibraryImport(Library, EntryPoint = "nvme_driver_run")]
    public static partial LoopResult Run(nint driver, nint device, [In] Command[] commands, int depth, int batches);

    [LibraryImport(Library, EntryPoint = "nvme_close")]
    public static partial void Close(nint either, [MarshalAs(UnmanagedType.U1)] bool isDriver);

    /// <summary>struct layout.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Layout
    {
        public long Submission;
        public long Completion;
        public long Lists;
        public long Length;
        public ulong Iova;
        public uint Size;
        public uint ListLength;
        public uint Namespace;
    }

    /// <summary>struct command.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Command
    {
        public ulong Block;
        public ulong DataOffset;
        public uint Blocks;
        public uint DataLength;
        public ushort Tag;
        public byte Operation;
        public byte Durable;
    }
}

/// <summary>What a loop has done.</summary>
/// <param name="Cycles">Time stamp counter cycles in the driver.</param>
/// <param name="Completed">Commands.</param>
[StructLayout(LayoutKind.Sequential)]
internal record struct LoopResult(ulong Cycles, ulong Completed);
