using System.Diagnostics;
using Arrakis.Contract;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Memory;
using Arrakis.SoftDevice.Memory;
using Arrakis.SoftDevice.Rings;
using Arrakis.Wire;
using Arrakis.Wire.Frames;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Tests.Device;

/// <summary>A grant as the daemon makes it, and the device's side of its rings, in this process.</summary>
internal sealed unsafe class TestDevice : IDisposable
{
    public const ulong IovaBase = 0x1_0000_0000;
    public const int BufferSize = 2048;

    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private readonly MemoryFile _memory;
    private readonly MemoryFile _statusFile;
    private readonly MemoryMapping _status;
    private readonly MemoryTable _table;
    private readonly int _pairs;
    private readonly SplitDeviceRing[] _toDriver;
    private readonly SplitDeviceRing[] _fromDriver;
    private readonly EventFd[] _events;
    private readonly EventFd[] _kicks;

    public TestDevice(int queueSize = 256, int buffers = 1024, string address = "10.7.0.2/24", string? gateway = null, int mtu = 1500, int pairs = 1, bool tellsSteering = true)
    {
        _pairs = pairs;
        _toDriver = new SplitDeviceRing[pairs];
        _fromDriver = new SplitDeviceRing[pairs];
        _events = [.. Enumerable.Range(0, pairs).Select(static _ => new EventFd())];
        _kicks = [.. Enumerable.Range(0, 2 * pairs).Select(static _ => new EventFd())];
        var rings = new QueueGrant[2 * pairs];
        long end = 0;
        for (int i = 0; i < rings.Length; i++)
        {
            // Descriptors as the daemon lays them out: of each pair the event, then the doorbells of its rings.
            int pairEvent = Grant.EventDescriptor + i / 2 * 3;
            var ring = RingLayout.At(RingFormat.Split, end, queueSize);
            rings[i] = new QueueGrant(i % 2 == 0 ? QueueDirection.Receive : QueueDirection.Transmit, ring, pairEvent + 1 + i % 2, pairEvent);
            end = ring.End;
        }

        long bufferOffset = (end + 4095) / 4096 * 4096;
        long bufferLength = (long)buffers * pairs * BufferSize;
        _memory = MemoryFile.Create("test queue memory", bufferOffset + bufferLength, PagePreference.BaseOnly);
        _statusFile = MemoryFile.Create("test status", StatusPageLayout.Length, PagePreference.BaseOnly);
        _status = MemoryMapping.Map(_statusFile.Descriptor, 0, StatusPageLayout.Length, MappingAccess.ReadWrite);
        Grant = new Grant
        {
            BindingId = 42,
            Generation = 7,
            Device = "test0",
            VirtualFunction = 1,
            Mac = MacAddress.Parse("52:54:00:00:00:02"),
            Address = Ipv4Prefix.Parse(address),
            Gateway = gateway is null ? null : Ipv4Address.Parse(gateway),
            Mtu = mtu,
            Features = VirtioFeatures.Version1 | VirtioFeatures.VhostUserProtocolFeatures,
            Memory = new MemoryGrant(_memory.Length, MemoryFile.BasePageSize, IovaBase, bufferOffset, bufferLength, BufferSize),
            Queues = rings,
            Steering = pairs > 1 && tellsSteering ? FlowSteering.Even(pairs) : null,
        };
        Write(StatusPageLayout.Magic, StatusPageLayout.MagicValue);
        Write(StatusPageLayout.Version, StatusPageLayout.VersionValue);
        Write(StatusPageLayout.Generation, Grant.Generation);
        Write(StatusPageLayout.BindingId, Grant.BindingId);
        Write(StatusPageLayout.State, (uint)BindingState.Active);
        Write(StatusPageLayout.LinkState, 1u);

        Mapping = MemoryMapping.Map(_memory.Descriptor, 0, _memory.Length, MappingAccess.ReadWrite);
        _table = new MemoryTable(new MappedRegion(Mapping, 0, (ulong)Mapping.Length, new Iova(IovaBase), new FrontEndAddress(IovaBase)));
        Attach();
    }

    public Grant Grant { get; init; }

    public MemoryMapping Mapping { get; }

    public MemoryFile Memory => _memory;

    public EventFd Event => _events[0];

    public EventFd ReceiveKick => _kicks[0];

    public EventFd TransmitKick => _kicks[1];

    /// <summary>Doorbells of all rings, in the grant's order.</summary>
    public IReadOnlyList<EventFd> Kicks => _kicks;

    /// <summary>The device's side of the application's first receive ring.</summary>
    public SplitDeviceRing ToDriver => _toDriver[0];

    /// <summary>The device's side of the application's first transmit ring.</summary>
    public SplitDeviceRing FromDriver => _fromDriver[0];

    public int Released { get; private set; }

    /// <summary>Frames given to the driver.</summary>
    public long Delivered { get; private set; }

    public byte* Ring(int queue) => Mapping.Start + Grant.Queues[queue].Ring.DescriptorArea;

    /// <summary>Attaches as a device that starts, or starts again, does.</summary>
    public void Attach()
    {
        for (int pair = 0; pair < _pairs; pair++)
        {
            _toDriver[pair] = Attach(Grant.Queues[2 * pair].Ring);
            _fromDriver[pair] = Attach(Grant.Queues[2 * pair + 1].Ring);
        }
    }

    public Descriptor[] Descriptors() =>
    [
        _memory.Descriptor.Duplicate(),
        _statusFile.OpenReadOnlyCopy(),
        .. Enumerable.Range(0, _pairs).SelectMany(pair => new[] { _events[pair].Descriptor.Duplicate(), _kicks[2 * pair].Descriptor.Duplicate(), _kicks[2 * pair + 1].Descriptor.Duplicate() }),
    ];

    public NicBinding Bind(Func<RevocationRequest, NicBinding, ValueTask>? onRevocation = null, TimeProvider? time = null) =>
        new(
            Grant,
            Descriptors(),
            _ =>
            {
                Released++;
                return default;
            },
            onRevocation,
            time);

    /// <summary>Gives a frame to the driver. False if it has no buffers.</summary>
    public bool TryDeliver(ReadOnlySpan<byte> frame, int pair = 0)
    {
        Span<byte> header = stackalloc byte[VirtioNetHeader.Length];
        header.Clear();
        header[VirtioNetHeader.BufferCountOffset] = 1;
        RingWrite outcome = _toDriver[pair].TryWrite(header, frame);
        if (outcome == RingWrite.Full)
        {
            return false;
        }

        Assert.Equal(RingWrite.Done, outcome);
        Delivered++;
        if (_toDriver[pair].Publish())
        {
            _events[pair].Signal();
        }

        return true;
    }

    /// <summary>The queue that a device with receive side scaling would choose.</summary>
    public int QueueOf(ReadOnlySpan<byte> frame) =>
        _pairs == 1 ? 0 : SteeringTable.PairOf((int)(ToeplitzHash.OfFrame(frame) % SteeringTable.Length), _pairs);

    /// <summary>Gives a frame to the driver, on the queue of its flow.</summary>
    public void Deliver(ReadOnlySpan<byte> frame)
    {
        long start = Stopwatch.GetTimestamp();
        while (!TryDeliver(frame, QueueOf(frame)))
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < Deadline, "the driver gives no buffers");
            Thread.Yield();
        }
    }

    /// <summary>Takes a frame that the driver sent, if there is one.</summary>
    public byte[]? TryTakeSent(int pair = 0)
    {
        var frame = new byte[BufferSize];
        RingRead outcome = _fromDriver[pair].TryRead(VirtioNetHeader.Length, frame, out int length);
        if (outcome == RingRead.Empty)
        {
            return null;
        }

        Assert.Equal(RingRead.Frame, outcome);
        _fromDriver[pair].Complete();
        if (_fromDriver[pair].Publish())
        {
            _events[pair].Signal();
        }

        return frame[..length];
    }

    /// <summary>Waits for a frame that the driver sends.</summary>
    public byte[] TakeSent()
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            if (TryTakeSent() is { } frame)
            {
                return frame;
            }

            Assert.True(Stopwatch.GetElapsedTime(start) < Deadline, "the driver sends nothing");
            Thread.Yield();
        }
    }

    /// <summary>Waits for a sent frame that is no ARP packet; answers for all neighbours meanwhile.</summary>
    /// <param name="poll">Lets the driver take the answer, where it does not poll by itself.</param>
    public byte[] TakeSentIp(Action? poll = null)
    {
        while (true)
        {
            byte[] frame = TakeSent();
            if (TestFrames.IsArp(frame))
            {
                if (TestFrames.AnswerArp(frame) is { } answer)
                {
                    Deliver(answer);
                    poll?.Invoke();
                }
            }
            else
            {
                return frame;
            }
        }
    }

    public void SetState(BindingState state) => Write(StatusPageLayout.State, (uint)state);

    public void SetLink(bool up, uint epoch)
    {
        Write(StatusPageLayout.LinkState, (ulong)epoch << 32 | (up ? 1u : 0u));
    }

    public void AskBack(ResourceKind kind, uint units, long deadline)
    {
        Write(StatusPageLayout.RequestedKind, (uint)kind);
        Write(StatusPageLayout.RequestedUnits, units);
        Write(StatusPageLayout.Deadline, (ulong)deadline);
        SetState(BindingState.RevocationRequested);
    }

    public void Record(int index, RepossessionEntry entry)
    {
        int at = StatusPageLayout.RepossessionVector + index * StatusPageLayout.RepossessionEntryLength;
        Write(at, (uint)entry.Kind);
        Write(at + 8, entry.First);
        Write(at + 16, entry.Count);
        Write(at + 24, (ulong)entry.TimestampNanoseconds);
        Write(StatusPageLayout.RepossessionCount, (uint)index + 1);
    }

    public void Write(int offset, uint value) => Volatile.Write(ref *(uint*)(_status.Start + offset), value);

    public void Write(int offset, ulong value) => Volatile.Write(ref *(ulong*)(_status.Start + offset), value);

    public void Dispose()
    {
        _table.Dispose();
        _status.Dispose();
        _memory.Dispose();
        _statusFile.Dispose();
        Array.ForEach(_events, static pairEvent => pairEvent.Dispose());
        Array.ForEach(_kicks, static kick => kick.Dispose());
    }

    private SplitDeviceRing Attach(RingLayout layout)
    {
        ushort next = Volatile.Read(ref *(ushort*)(Mapping.Start + layout.DeviceArea + SplitFormat.IndexOffset));
        RingFault fault = SplitDeviceRing.TryAttach(_table, layout, new FrontEndAddress(IovaBase), next, out SplitDeviceRing? ring);
        Assert.Equal(RingFault.None, fault);
        ring!.RequestNotification(false);
        return ring;
    }
}
