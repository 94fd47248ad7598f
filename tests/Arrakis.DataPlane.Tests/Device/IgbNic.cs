using Arrakis.Contract;
using Arrakis.Native.Events;
using Arrakis.Native.Memory;
using Arrakis.Wire;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Tests.Device;

/// <summary>A grant of an 82576 function as the daemon makes it, a binding of it, and the device behind its rings.</summary>
internal sealed class IgbNic : IAsyncDisposable
{
    private readonly MemoryFile _file;
    private readonly MemoryFile _statusFile = MemoryFile.Create("test status", StatusPageLayout.Length, PagePreference.BaseOnly);
    private readonly MemoryMapping _status;
    private readonly MemoryMapping _memory;
    private readonly EventFd _event = new();

    public IgbNic(VirtioFeatures features = VirtioFeatures.None, int queueSize = 256, int buffers = 1024, int mtu = 1500, bool binds = true)
    {
        RingLayout receive = RingLayout.At(RingFormat.Igb, 0, queueSize);
        RingLayout transmit = RingLayout.At(RingFormat.Igb, receive.End, queueSize);
        long offset = (transmit.End + MemoryFile.BasePageSize - 1) / MemoryFile.BasePageSize * MemoryFile.BasePageSize;
        _file = MemoryFile.Create("test igb", offset + (long)buffers * IgbRings.BufferSize, PagePreference.BaseOnly);
        _status = MemoryMapping.Map(_statusFile.Descriptor, 0, StatusPageLayout.Length, MappingAccess.ReadWrite);
        _status.Store(StatusPageLayout.Magic, StatusPageLayout.MagicValue);
        _status.Store(StatusPageLayout.Version, StatusPageLayout.VersionValue);
        _status.Store(StatusPageLayout.Generation, 1u);
        _status.Store(StatusPageLayout.BindingId, 1ul);
        _status.Store(StatusPageLayout.State, (uint)BindingState.Active);
        _status.Store(StatusPageLayout.LinkState, 1u);
        Grant = new Grant
        {
            BindingId = 1,
            Generation = 1,
            Device = "igb0",
            VirtualFunction = 0,
            Mac = TestFrames.OwnMac,
            Address = Ipv4Prefix.Parse("10.7.0.2/24"),
            Mtu = mtu,
            Features = features | VirtioFeatures.Version1 | VirtioFeatures.NetMac,
            Memory = new MemoryGrant(_file.Length, MemoryFile.BasePageSize, IgbRings.IovaBase, offset, (long)buffers * IgbRings.BufferSize, IgbRings.BufferSize),
            Queues = IgbDevice.Queues(receive, transmit),
        };
        _memory = MemoryMapping.Map(_file.Descriptor, 0, _file.Length, MappingAccess.ReadWrite);
        unsafe
        {
            Device = new IgbDevice(_memory.Start, Grant.Memory, receive, transmit, Registers) { RaiseEvent = _event.Signal };
        }

        if (binds)
        {
            Bound = Bind(Grant);
        }
    }

    public Grant Grant { get; }

    public IgbDevice Device { get; }

    public RegisterPage Registers { get; } = new();

    public NicBinding Nic => Bound!;

    private NicBinding? Bound { get; }

    /// <summary>Binds a grant; this one's descriptors: memory, status page, event, and the device's file once.</summary>
    public NicBinding Bind(Grant grant) => new(
        grant,
        [
            _file.Descriptor.Duplicate(),
            _statusFile.OpenReadOnlyCopy(),
            _event.Descriptor.Duplicate(),
            Registers.File.Descriptor.Duplicate(),
        ],
        static _ => default,
        isDevice: RegisterPage.IsDevice);

    /// <summary>Lets the driver know its neighbour, and takes what it says of itself.</summary>
    public void Introduce()
    {
        Assert.True(Device.TryDeliver(TestFrames.Arp(Wire.Frames.ArpOperation.Request, TestFrames.OwnAddress, TestFrames.PeerMac, TestFrames.PeerAddress)));
        _ = Nic.PollOnce(static (_, _) => { });
        while (Device.TryTake() is not null)
        {
        }
    }

    /// <summary>Waits for a frame that the driver sends that is no ARP packet.</summary>
    public byte[] TakeSentIp()
    {
        byte[]? frame = null;
        Assert.True(SpinWait.SpinUntil(() => (frame = Device.TryTake()) is not null && !TestFrames.IsArp(frame), TestDevice.Deadline), "the driver sends nothing");
        return frame!;
    }

    public async ValueTask DisposeAsync()
    {
        if (Bound is not null)
        {
            await Bound.DisposeAsync().AsTask().WaitAsync(TestDevice.Deadline);
        }

        Registers.Dispose();
        _memory.Dispose();
        _status.Dispose();
        _file.Dispose();
        _statusFile.Dispose();
        _event.Dispose();
    }
}
