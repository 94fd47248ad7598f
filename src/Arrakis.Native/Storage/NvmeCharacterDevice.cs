using System.Runtime.InteropServices;
using Tmds.Linux;

namespace Arrakis.Native.Storage;

/// <summary>The kernel's character device of an NVMe controller, which takes admin commands beside those of its driver (linux/nvme_ioctl.h).</summary>
public sealed unsafe partial class NvmeCharacterDevice : IDisposable
{
    private const nuint AdminCommand = 0xC048_4E41; // NVME_IOCTL_ADMIN_CMD: _IOWR('N', 0x41, struct nvme_admin_cmd)
    private const int CommandLength = 64;
    private const int StructureLength = 72;
    private const int AddressOffset = 24; // Where a submission queue entry has its PRP entries.
    private const int LengthOffset = 36;
    private const int TimeoutOffset = 64;
    private const uint TimeoutMilliseconds = 10_000;

    private readonly Descriptor _file;

    /// <summary>Opens it.</summary>
    /// <param name="path">Such as /dev/nvme0.</param>
    /// <exception cref="LinuxException">There is none, or the process may not.</exception>
    public NvmeCharacterDevice(string path) => _file = Descriptor.Open(path, LibC.O_RDWR);

    /// <summary>Does an admin command.</summary>
    /// <param name="command">A submission queue entry, without identifier and data pointer: 64 bytes.</param>
    /// <param name="data">What the controller fills; empty where the command has no data.</param>
    /// <returns>The status field: type and code, zero for success.</returns>
    /// <exception cref="LinuxException">The driver did not give the command to the controller.</exception>
    public ushort Run(ReadOnlySpan<byte> command, Span<byte> data)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(command.Length, CommandLength, nameof(command));
        byte* structure = stackalloc byte[StructureLength];
        var bytes = new Span<byte>(structure, StructureLength);
        bytes.Clear();
        command.CopyTo(bytes);
        bytes[1..4].Clear(); // Flags and identifier are the driver's.
        fixed (byte* buffer = data)
        {
            *(ulong*)(structure + AddressOffset) = (ulong)buffer;
            *(uint*)(structure + LengthOffset) = (uint)data.Length;
            *(uint*)(structure + TimeoutOffset) = TimeoutMilliseconds;
            int result = IoControl(_file.Number, AdminCommand, structure);
            LinuxException.ThrowIfNegative(result, "ioctl(NVME_IOCTL_ADMIN_CMD)");
            return (ushort)result;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int IoControl(int descriptor, nuint request, void* argument);
}
