namespace Arrakis.Native.Vfio;

/// <summary>The two interfaces that the kernel has for devices in user space (Documentation/driver-api/vfio.rst).</summary>
public enum VfioInterface
{
    /// <summary>Groups and a type 1 container: /dev/vfio/vfio.</summary>
    Group,

    /// <summary>A character device for each function, and /dev/iommu: since Linux 6.6, where it is built with them.</summary>
    Cdev,
}
