using System.Runtime.InteropServices;

namespace Arrakis.Native.Vfio;

/// <summary>The calls of linux/vfio.h and linux/iommufd.h, of which no C library has declarations, with their arguments.</summary>
internal static unsafe partial class VfioCalls
{
    private const uint Type = (uint)';' << 8; // VFIO_TYPE and IOMMUFD_TYPE

    internal const uint SetIommu = Type | 102;
    internal const uint GroupGetStatus = Type | 103;
    internal const uint GroupSetContainer = Type | 104;
    internal const uint GroupGetDevice = Type | 106;
    internal const uint DeviceGetInfo = Type | 107;
    internal const uint DeviceGetRegionInfo = Type | 108;
    internal const uint DeviceSetIrqs = Type | 110;
    internal const uint DeviceReset = Type | 111;
    internal const uint IommuMapDma = Type | 113;
    internal const uint IommuUnmapDma = Type | 114;
    internal const uint DeviceBindIommufd = Type | 118;
    internal const uint DeviceAttachIommufd = Type | 119;

    internal const uint IoasAllocate = Type | 0x81;
    internal const uint IoasMap = Type | 0x85;
    internal const uint IoasUnmap = Type | 0x86;

    /// <summary>Makes a call; the result is not negative.</summary>
    /// <exception cref="LinuxException">It failed.</exception>
    internal static int Call(Descriptor descriptor, uint request, void* argument, string name)
    {
        int result = IoControl(descriptor.Number, request, argument);
        LinuxException.ThrowIfNegative(result, name);
        return result;
    }

    /// <summary>The same with a number as the argument.</summary>
    internal static int Call(Descriptor descriptor, uint request, int argument, string name) => Call(descriptor, request, (void*)argument, name);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int IoControl(int descriptor, nuint request, void* argument);

    /// <summary>struct vfio_group_status.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct GroupStatus
    {
        internal const uint Viable = 1;

        public uint Size;
        public uint Flags;
    }

    /// <summary>struct vfio_device_info.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct DeviceInfo
    {
        internal const uint CanReset = 1;

        public uint Size;
        public uint Flags;
        public uint Regions;
        public uint Interrupts;
        public uint CapabilityOffset;
        public uint Padding;
    }

    /// <summary>struct vfio_region_info.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct RegionInfo
    {
        internal const uint CanMap = 4;

        public uint Size;
        public uint Flags;
        public uint Index;
        public uint CapabilityOffset;
        public ulong Length;
        public ulong Offset;
    }

    /// <summary>struct vfio_irq_set, without the descriptors that follow it.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct InterruptSet
    {
        internal const uint DataNone = 1;
        internal const uint DataEventFd = 4;
        internal const uint ActionTrigger = 32;

        public uint Size;
        public uint Flags;
        public uint Index;
        public uint Start;
        public uint Count;
    }

    /// <summary>struct vfio_iommu_type1_dma_map.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct DmaMap
    {
        internal const uint Read = 1;
        internal const uint Write = 2;

        public uint Size;
        public uint Flags;
        public ulong Address;
        public ulong Iova;
        public ulong Length;
    }

    /// <summary>struct vfio_iommu_type1_dma_unmap.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct DmaUnmap
    {
        public uint Size;
        public uint Flags;
        public ulong Iova;
        public ulong Length;
    }

    /// <summary>struct vfio_device_bind_iommufd.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct BindIommufd
    {
        public uint Size;
        public uint Flags;
        public int Iommufd;
        public uint DeviceId;
    }

    /// <summary>struct vfio_device_attach_iommufd_pt.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct AttachIommufd
    {
        public uint Size;
        public uint Flags;
        public uint PageTable;
    }

    /// <summary>struct iommu_ioas_alloc.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct IoasAllocation
    {
        public uint Size;
        public uint Flags;
        public uint Ioas;
    }

    /// <summary>struct iommu_ioas_map.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct IoasMapping
    {
        internal const uint FixedIova = 1;
        internal const uint Writable = 2;
        internal const uint Readable = 4;

        public uint Size;
        public uint Flags;
        public uint Ioas;
        public uint Reserved;
        public ulong Address;
        public ulong Length;
        public ulong Iova;
    }

    /// <summary>struct iommu_ioas_unmap.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct IoasUnmapping
    {
        public uint Size;
        public uint Ioas;
        public ulong Iova;
        public ulong Length;
    }
}
