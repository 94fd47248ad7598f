using Arrakis.Contract;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Memory;
using Arrakis.SoftDevice.Memory;
using Arrakis.SoftDevice.Rings;
using Arrakis.Wire;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.Benchmarks.Device;

/// <summary>A binding whose device is the software device's ring engine, in this process and on this thread.</summary>
internal sealed class MemoryNic : IDisposable
{
    private const int BufferSize = 2048 + 64;
    private const int Size = 256;
    private const int Buffers = 1024;
    private const ulong IovaBase = 0x1_0000_0000;
    private const VirtioFeatures Features = VirtioFeatures.Version1 | VirtioFeatures.InOrder;

    private readonly byte[] _scratch = new byte[BufferSize];
    private readonly byte[] _header = new byte[VirtioNetHeader.Length];
    private readonly MemoryFile _file;
    private readonly MemoryFile _status = MemoryFile.Create("benchmark status", StatusPageLayout.Length, PagePreference.BaseOnly);
    private readonly MemoryTable _table;
    private readonly EventFd[] _events = [new(), new(), new()];
    private readonly DeviceRing _toDriver;
    private readonly DeviceRing _fromDriver;

    public MemoryNic(RingFormat format)
    {
        VirtioFeatures features = Features | (format == RingFormat.Packed ? VirtioFeatures.RingPacked : 0);
        RingLayout receive = RingLayout.At(format, 0, Size);
        RingLayout transmit = RingLayout.At(format, receive.End + RingLayout.PartAlignment, Size);
        long offset = (transmit.End + 2 * 4095) / 4096 * 4096;
        _file = MemoryFile.Create("benchmark", offset + Buffers * BufferSize, PagePreference.BaseOnly);
        using (MemoryMapping page = MemoryMapping.Map(_status.Descriptor, 0, StatusPageLayout.Length, MappingAccess.ReadWrite))
        {
            page.Store(StatusPageLayout.Magic, StatusPageLayout.MagicValue);
            page.Store(StatusPageLayout.Version, StatusPageLayout.VersionValue);
            page.Store(StatusPageLayout.Generation, 1u);
            page.Store(StatusPageLayout.BindingId, 1ul);
            page.Store(StatusPageLayout.State, (uint)BindingState.Active);
            page.Store(StatusPageLayout.LinkState, 1u);
        }

        var grant = new Grant
        {
            BindingId = 1,
            Generation = 1,
            Device = "memory0",
            VirtualFunction = 0,
            Mac = BenchmarkFrames.OwnMac,
            Address = Ipv4Prefix.Parse("10.7.0.2/24"),
            Mtu = 1500,
            Features = features,
            Memory = new MemoryGrant(_file.Length, _file.PageSize, IovaBase, offset, Buffers * BufferSize, BufferSize),
            Queues = [new QueueGrant(QueueDirection.Receive, receive, 3), new QueueGrant(QueueDirection.Transmit, transmit, 4)],
        };
        Descriptor[] descriptors =
        [
            _file.Descriptor.Duplicate(),
            _status.OpenReadOnlyCopy(),
            .. _events.Select(static e => e.Descriptor.Duplicate()),
        ];
        Nic = new NicBinding(grant, descriptors, static _ => default);
        MemoryMapping mapping = MemoryMapping.Map(_file.Descriptor, 0, _file.Length, MappingAccess.ReadWrite);
        _table = new MemoryTable(new MappedRegion(mapping, 0, (ulong)mapping.Length, new Iova(IovaBase), new FrontEndAddress(IovaBase)));
        _toDriver = Attach(receive, features);
        _fromDriver = Attach(transmit, features);
        _header[VirtioNetHeader.BufferCountOffset] = 1;
        _ = Nic.PollOnce(static (_, _) => { }); // It announces itself.
        _ = Take();
    }

    public NicBinding Nic { get; }

    /// <summary>Gives the driver a frame so many times.</summary>
    public void Deliver(ReadOnlySpan<byte> frame, int count)
    {
        for (int i = 0; i < count; i++)
        {
            if (_toDriver.TryWrite(_header, frame) != RingWrite.Done)
            {
                throw new InvalidOperationException("The driver gives no buffers.");
            }
        }

        _ = _toDriver.Publish();
    }

    /// <summary>Takes all that the driver has sent. Returns the number of frames.</summary>
    public int Take()
    {
        int count = 0;
        while (_fromDriver.TryRead(VirtioNetHeader.Length, _scratch, out _) == RingRead.Frame)
        {
            _fromDriver.Complete();
            count++;
        }

        _ = _fromDriver.Publish();
        return count;
    }

    public void Dispose()
    {
        Nic.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _table.Dispose();
        _status.Dispose();
        _file.Dispose();
        Array.ForEach(_events, static e => e.Dispose());
    }

    private DeviceRing Attach(RingLayout ring, VirtioFeatures features)
    {
        RingFault fault = DeviceRing.TryAttach(
            _table,
            ring.QueueSize,
            new FrontEndAddress(IovaBase + (ulong)ring.DescriptorArea),
            new FrontEndAddress(IovaBase + (ulong)ring.DriverArea),
            new FrontEndAddress(IovaBase + (ulong)ring.DeviceArea),
            ring.Format == RingFormat.Packed ? PackedFormat.WrapBit : (ushort)0,
            features,
            out DeviceRing? device);
        if (fault != RingFault.None)
        {
            throw new InvalidOperationException($"The device does not take the ring: {fault}.");
        }

        device!.RequestNotification(false);
        return device;
    }
}
