using System.Buffers.Binary;
using Arrakis.Contract;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Memory;
using Arrakis.SoftDevice.Memory;
using Arrakis.SoftDevice.Rings;
using Arrakis.SoftDevice.Switch;
using Arrakis.Wire;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Tests.Device;

/// <summary>A binding with any features, and the software device's rings and offloads behind it: what it sends comes out as on a wire.</summary>
internal sealed class OffloadDevice : IAsyncDisposable
{
    private const int MaxFrame = 1514;
    private const ulong IovaBase = 0x1_0000_0000;

    private readonly VirtioFeatures _features;
    private readonly MemoryFile _file;
    private readonly MemoryFile _status = MemoryFile.Create("test status", StatusPageLayout.Length, PagePreference.BaseOnly);
    private readonly MemoryTable _table;
    private readonly EventFd[] _events = [new(), new(), new()];
    private readonly DeviceRing _toDriver;
    private readonly DeviceRing _fromDriver;
    private readonly FrameCompletion _completion = new();
    private readonly byte[] _frame = new byte[EthernetSwitch.MaxLargeFrameLength];
    private readonly byte[] _header = new byte[VirtioNetHeader.Length];

    public OffloadDevice(VirtioFeatures features, int queueSize = 256, int buffers = 1024, int bufferSize = 2112)
    {
        _features = features | VirtioFeatures.Version1;
        RingFormat format = (features & VirtioFeatures.RingPacked) != 0 ? RingFormat.Packed : RingFormat.Split;
        RingLayout receive = RingLayout.At(format, 0, queueSize);
        RingLayout transmit = RingLayout.At(format, receive.End + RingLayout.PartAlignment, queueSize);
        long offset = (transmit.End + 2 * 4095) / 4096 * 4096;
        _file = MemoryFile.Create("test offloads", offset + (long)buffers * bufferSize, PagePreference.BaseOnly);
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
            Device = "offload0",
            VirtualFunction = 0,
            Mac = TestFrames.OwnMac,
            Address = Ipv4Prefix.Parse("10.7.0.2/24"),
            Mtu = 1500,
            Features = _features,
            Memory = new MemoryGrant(_file.Length, _file.PageSize, IovaBase, offset, (long)buffers * bufferSize, bufferSize),
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
        _toDriver = Attach(receive);
        _fromDriver = Attach(transmit);
    }

    public NicBinding Nic { get; }

    /// <summary>Frames that came as one, whatever became of them.</summary>
    public int Taken { get; private set; }

    /// <summary>Of these, how many left something to the device.</summary>
    public int Offloaded { get; private set; }

    /// <summary>Of these, how many were to be cut.</summary>
    public int Cut { get; private set; }

    /// <summary>Lets the driver know its neighbour, and takes what it says of itself.</summary>
    public void Introduce()
    {
        Deliver(TestFrames.Arp(Wire.Frames.ArpOperation.Request, TestFrames.OwnAddress, TestFrames.PeerMac, TestFrames.PeerAddress));
        _ = Nic.PollOnce(static (_, _) => { });
        _ = TakeAll();
        Taken = 0;
    }

    /// <summary>Gives the driver a frame.</summary>
    public void Deliver(ReadOnlySpan<byte> frame, byte flags = 0, ushort checksumStart = 0, ushort checksumOffset = 0)
    {
        byte[] header = new byte[VirtioNetHeader.Length];
        header[VirtioNetHeader.FlagsOffset] = flags;
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(VirtioNetHeader.ChecksumStartOffset), checksumStart);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(VirtioNetHeader.ChecksumFieldOffset), checksumOffset);
        header[VirtioNetHeader.BufferCountOffset] = 1;
        Assert.Equal(RingWrite.Done, _toDriver.TryWrite(header, frame));
        Signal(_toDriver);
    }

    /// <summary>The frames on the wire that one frame of the driver stands for; none where it has sent nothing.</summary>
    public List<byte[]> TakeOne()
    {
        List<byte[]> wire = [];
        if (!TryRead(out int length))
        {
            return wire;
        }

        Span<byte> frame = _frame.AsSpan(0, length);
        FrameOffload offload = FrameOffload.None;
        if (!FrameOffload.AsksForNothing(_header))
        {
            Offloaded++;
            Assert.True(FrameOffload.TryRead(_header, frame, _features, MaxFrame, out offload), "the device does not understand what it is asked for");
            Cut += offload.Segments != SegmentKind.None ? 1 : 0;
        }

        for (int done = 0; _completion.TryNext(frame, offload, ref done, out ReadOnlySpan<byte> next);)
        {
            // A frame that asks for nothing is passed on as it is, a wrong checksum included.
            wire.Add(offload.IsNone ? frame.ToArray() : next.ToArray());
        }

        return wire;
    }

    /// <summary>All that the driver has sent, as on a wire.</summary>
    public List<byte[]> TakeAll()
    {
        List<byte[]> wire = [];
        while (TakeOne() is { Count: > 0 } more)
        {
            wire.AddRange(more);
        }

        return wire;
    }

    /// <summary>Drops what the driver has sent, without an allocation. Returns how many frames that were.</summary>
    public int Discard()
    {
        int count = 0;
        while (TryRead(out _))
        {
            count++;
        }

        return count;
    }

    public async ValueTask DisposeAsync()
    {
        await Nic.DisposeAsync().AsTask().WaitAsync(TestDevice.Deadline);
        _table.Dispose();
        _status.Dispose();
        _file.Dispose();
        Array.ForEach(_events, static e => e.Dispose());
    }

    private bool TryRead(out int length)
    {
        RingRead outcome = _fromDriver.TryRead(_header, _frame, out length);
        if (outcome == RingRead.Empty)
        {
            return false;
        }

        Assert.Equal(RingRead.Frame, outcome);
        Taken++;
        _fromDriver.Complete();
        Signal(_fromDriver);
        return true;
    }

    private void Signal(DeviceRing ring)
    {
        if (!ring.Publish())
        {
            return;
        }

        Interlocked.MemoryBarrier();
        if (ring.DriverWantsEvent)
        {
            _events[0].Signal();
        }
    }

    private DeviceRing Attach(RingLayout ring)
    {
        RingFault fault = DeviceRing.TryAttach(
            _table,
            ring.QueueSize,
            new FrontEndAddress(IovaBase + (ulong)ring.DescriptorArea),
            new FrontEndAddress(IovaBase + (ulong)ring.DriverArea),
            new FrontEndAddress(IovaBase + (ulong)ring.DeviceArea),
            ring.Format == RingFormat.Packed ? PackedFormat.WrapBit : (ushort)0,
            _features,
            out DeviceRing? device);
        Assert.Equal(RingFault.None, fault);
        device!.RequestNotification(false);
        return device;
    }
}
