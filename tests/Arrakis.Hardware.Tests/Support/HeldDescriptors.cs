using System.Buffers.Binary;
using System.Globalization;
using Arrakis.Native;
using Arrakis.Native.Vfio;
using Tmds.Linux;

namespace Arrakis.Hardware.Tests.Support;

/// <summary>What this process holds of a binding, found among its open descriptors: as a hostile holder would.</summary>
internal static class HeldDescriptors
{
    /// <summary>Queue memory, opened once more.</summary>
    public static Descriptor Memory(NicBinding nic) => Descriptor.Open(
        Paths().Single(path => Target(path)?.StartsWith(string.Create(CultureInfo.InvariantCulture, $"/memfd:arrakis-queues-{nic.Grant.BindingId} "), StringComparison.Ordinal) == true),
        LibC.O_RDWR);

    /// <summary>A duplicate of a function's file, which outlives the binding.</summary>
    public static Descriptor Device()
    {
        string path = Paths().Single(static path => Target(path) is { } target
            && (target == "anon_inode:[vfio-device]" || target.StartsWith("/dev/vfio/devices/", StringComparison.Ordinal)));
        int copy = LibC.fcntl(int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture), LibC.F_DUPFD_CLOEXEC, 0);
        Assert.True(copy >= 0);
        return new Descriptor(copy);
    }

    /// <summary>What a function may do by its command register: answer memory accesses, and start its own (PCI 3.0 §6.2.2).</summary>
    public static int ReadAccess(VfioDevice device)
    {
        const int Register = 4, MemorySpaceAndBusMaster = 6;
        byte[] command = new byte[sizeof(ushort)];
        Assert.Equal(command.Length, device.ReadConfiguration(command, Register));
        return BinaryPrimitives.ReadUInt16LittleEndian(command) & MemorySpaceAndBusMaster;
    }

    private static string[] Paths() => Directory.GetFileSystemEntries("/proc/self/fd");

    private static string? Target(string path) => new FileInfo(path).LinkTarget;
}
