using System.Buffers.Binary;
using Arrakis.Native.Events;
using Tmds.Linux;

namespace Arrakis.Native.Vfio;

/// <summary>
/// A PCI function in our hands. It can reach what its <see cref="DmaDomain"/> maps and nothing else. Whoever holds a duplicate of the
/// descriptor can do all that this class can.
/// </summary>
public sealed unsafe class VfioDevice : IDisposable
{
    private const int MsixInterrupts = 2; // VFIO_PCI_MSIX_IRQ_INDEX
    private const int RequestInterrupt = 4; // VFIO_PCI_REQ_IRQ_INDEX
    private const int CommandRegister = 4; // PCI 3.0 §6.2.2
    private const ushort MemorySpace = 2, BusMaster = 4;

    private readonly long _configuration;

    /// <summary>Goes on with a function that another process opened.</summary>
    /// <exception cref="LinuxException">It is no VFIO device.</exception>
    public VfioDevice(Descriptor descriptor)
    {
        ArgumentNullException.ThrowIfNull(descriptor);
        Descriptor = descriptor;
        _configuration = Region(VfioRegion.Configuration).Offset;
    }

    /// <summary>The device's file.</summary>
    public Descriptor Descriptor { get; }

    /// <summary>Opens a function through its group, whose domain it then has.</summary>
    /// <param name="domain">The group's.</param>
    /// <param name="address">The function's name on the bus, such as 0000:01:10.0.</param>
    /// <exception cref="LinuxException">The group has no such function (ENODEV), or the function does not come up.</exception>
    public static VfioDevice Open(ContainerDomain domain, string address)
    {
        ArgumentNullException.ThrowIfNull(domain);
        fixed (byte* name = System.Text.Encoding.ASCII.GetBytes(address + "\0"))
        {
            return new VfioDevice(new Descriptor(VfioCalls.Call(domain.Group, VfioCalls.GroupGetDevice, name, $"VFIO_GROUP_GET_DEVICE_FD({address})")));
        }
    }

    /// <summary>Opens a function's character device and puts it into a domain.</summary>
    /// <param name="domain">The domain.</param>
    /// <param name="path">Such as /dev/vfio/devices/vfio0.</param>
    /// <exception cref="LinuxException">Another file holds the function (EBUSY, EINVAL), or another of its group does (EPERM).</exception>
    public static VfioDevice Open(IommufdDomain domain, string path)
    {
        ArgumentNullException.ThrowIfNull(domain);
        Descriptor descriptor = Descriptor.Open(path, LibC.O_RDWR);
        try
        {
            var bind = new VfioCalls.BindIommufd { Size = (uint)sizeof(VfioCalls.BindIommufd), Iommufd = domain.File.Number };
            _ = VfioCalls.Call(descriptor, VfioCalls.DeviceBindIommufd, &bind, $"VFIO_DEVICE_BIND_IOMMUFD({path})");
            var attach = new VfioCalls.AttachIommufd { Size = (uint)sizeof(VfioCalls.AttachIommufd), PageTable = domain.Id };
            _ = VfioCalls.Call(descriptor, VfioCalls.DeviceAttachIommufd, &attach, $"VFIO_DEVICE_ATTACH_IOMMUFD_PT({path})");
            return new VfioDevice(descriptor);
        }
        catch
        {
            descriptor.Dispose();
            throw;
        }
    }

    /// <summary>Where a region lies in the file.</summary>
    /// <param name="index">0 to 5 for BARs, or <see cref="VfioRegion.Configuration"/>.</param>
    /// <exception cref="LinuxException">There is no such region.</exception>
    public VfioRegion Region(int index)
    {
        var info = new VfioCalls.RegionInfo { Size = (uint)sizeof(VfioCalls.RegionInfo), Index = (uint)index };
        _ = VfioCalls.Call(Descriptor, VfioCalls.DeviceGetRegionInfo, &info, $"VFIO_DEVICE_GET_REGION_INFO({index})");
        return new VfioRegion((long)info.Offset, (long)info.Length, (info.Flags & VfioCalls.RegionInfo.CanMap) != 0);
    }

    /// <summary>Reads configuration space, at most to its end.</summary>
    /// <returns>Bytes read.</returns>
    public int ReadConfiguration(Span<byte> destination, int offset)
    {
        fixed (byte* buffer = destination)
        {
            long read = LibC.pread(Descriptor.Number, buffer, destination.Length, _configuration + offset);
            LinuxException.ThrowIfNegative(read, $"pread(configuration space at {offset})");
            return (int)read;
        }
    }

    /// <summary>Reads registers of a region, whole.</summary>
    /// <exception cref="LinuxException">The function is gone or disabled (EIO), or has no such registers (EINVAL).</exception>
    public void ReadRegion(VfioRegion region, Span<byte> destination, long offset)
    {
        CheckInside(region, offset, destination.Length);
        fixed (byte* buffer = destination)
        {
            long read = LibC.pread(Descriptor.Number, buffer, destination.Length, region.Offset + offset);
            ThrowUnlessWhole(read, destination.Length, "pread", offset);
        }
    }

    /// <summary>Writes registers of a region, whole.</summary>
    /// <exception cref="LinuxException">The function is gone or disabled (EIO), or has no such registers (EINVAL).</exception>
    public void WriteRegion(VfioRegion region, ReadOnlySpan<byte> source, long offset)
    {
        CheckInside(region, offset, source.Length);
        fixed (byte* buffer = source)
        {
            long written = LibC.pwrite(Descriptor.Number, buffer, source.Length, region.Offset + offset);
            ThrowUnlessWhole(written, source.Length, "pwrite", offset);
        }
    }

    /// <summary>Lets the function answer memory accesses and start them itself.</summary>
    public void Enable() => WriteCommand((ushort)(ReadCommand() | MemorySpace | BusMaster));

    /// <summary>Takes both away; existing mappings of its BARs are torn down where the function honours the bit (virtual functions do not).</summary>
    public void Disable() => WriteCommand((ushort)(ReadCommand() & ~(MemorySpace | BusMaster)));

    /// <summary>Resets the function alone (FLR), so that nothing of its former use is left in it.</summary>
    /// <exception cref="LinuxException">It has no reset (ENOTTY), or does not come back.</exception>
    public void Reset() => _ = VfioCalls.Call(Descriptor, VfioCalls.DeviceReset, null, "VFIO_DEVICE_RESET");

    /// <summary>Makes sure that the function was reset since nobody had it: the kernel has tried that when it was opened.</summary>
    /// <exception cref="LinuxException">It has no reset (ENOTTY), or does not come back.</exception>
    public void EnsureReset()
    {
        var info = new VfioCalls.DeviceInfo { Size = (uint)sizeof(VfioCalls.DeviceInfo) };
        _ = VfioCalls.Call(Descriptor, VfioCalls.DeviceGetInfo, &info, "VFIO_DEVICE_GET_INFO");
        if ((info.Flags & VfioCalls.DeviceInfo.CanReset) == 0)
        {
            Reset(); // Its fault says why.
        }
    }

    /// <summary>Has MSI-X vectors, from the first on, raise eventfds.</summary>
    /// <exception cref="LinuxException">There are fewer vectors (EINVAL), or no more in the machine (ENOSPC).</exception>
    public void RouteInterrupts(IReadOnlyList<EventFd> events)
    {
        ArgumentNullException.ThrowIfNull(events);
        SetTriggers(MsixInterrupts, events);
    }

    /// <summary>Turns MSI-X off.</summary>
    public void StopInterrupts()
    {
        var set = new VfioCalls.InterruptSet
        {
            Size = (uint)sizeof(VfioCalls.InterruptSet),
            Flags = VfioCalls.InterruptSet.DataNone | VfioCalls.InterruptSet.ActionTrigger,
            Index = MsixInterrupts,
        };
        _ = VfioCalls.Call(Descriptor, VfioCalls.DeviceSetIrqs, &set, "VFIO_DEVICE_SET_IRQS(MSI-X off)");
    }

    /// <summary>Has the kernel raise an eventfd when it wants the function back: it is to be removed, and who asks waits.</summary>
    public void RouteRequest(EventFd request)
    {
        ArgumentNullException.ThrowIfNull(request);
        SetTriggers(RequestInterrupt, [request]);
    }

    /// <inheritdoc/>
    public void Dispose() => Descriptor.Dispose();

    private static void CheckInside(VfioRegion region, long offset, int length)
    {
        if (offset < 0 || offset > region.Length - length)
        {
            throw new LinuxException($"registers at 0x{offset:x} of a region of {region.Length} bytes", LibC.EINVAL);
        }
    }

    private static void ThrowUnlessWhole(long done, int length, string call, long offset)
    {
        LinuxException.ThrowIfNegative(done, $"{call}(registers at 0x{offset:x})");
        if (done != length)
        {
            throw new LinuxException($"{call}(registers at 0x{offset:x})", LibC.EIO);
        }
    }

    private void SetTriggers(int index, IReadOnlyList<EventFd> events)
    {
        int size = sizeof(VfioCalls.InterruptSet) + events.Count * sizeof(int);
        byte* bytes = stackalloc byte[size];
        *(VfioCalls.InterruptSet*)bytes = new VfioCalls.InterruptSet
        {
            Size = (uint)size,
            Flags = VfioCalls.InterruptSet.DataEventFd | VfioCalls.InterruptSet.ActionTrigger,
            Index = (uint)index,
            Count = (uint)events.Count,
        };
        for (int i = 0; i < events.Count; i++)
        {
            ((int*)(bytes + sizeof(VfioCalls.InterruptSet)))[i] = events[i].Descriptor.Number;
        }

        _ = VfioCalls.Call(Descriptor, VfioCalls.DeviceSetIrqs, bytes, $"VFIO_DEVICE_SET_IRQS({index}, {events.Count} eventfds)");
    }

    private ushort ReadCommand()
    {
        Span<byte> command = stackalloc byte[sizeof(ushort)];
        return ReadConfiguration(command, CommandRegister) == command.Length
            ? BinaryPrimitives.ReadUInt16LittleEndian(command)
            : throw new LinuxException("pread(command register)", LibC.EIO);
    }

    private void WriteCommand(ushort value)
    {
        long written = LibC.pwrite(Descriptor.Number, &value, sizeof(ushort), _configuration + CommandRegister);
        LinuxException.ThrowIfNegative(written, "pwrite(command register)");
    }
}
