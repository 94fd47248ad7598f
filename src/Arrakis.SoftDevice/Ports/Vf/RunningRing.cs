using System.Runtime.CompilerServices;
using Arrakis.Native;
using Arrakis.SoftDevice.Memory;
using Arrakis.SoftDevice.Rings;
using Arrakis.SoftDevice.Switch;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Ports.Vf;

/// <summary>A running ring and the eventfds that its driver is woken by.</summary>
/// <remarks>What is done for each frame is a test of the format and a direct call, not a virtual one.</remarks>
internal sealed class RunningRing
{
    private const VirtioFeatures Segmentation = VirtioFeatures.NetHostTso4 | VirtioFeatures.NetHostTso6 | VirtioFeatures.NetHostUso;

    private readonly SplitDeviceRing? _split;
    private readonly PackedDeviceRing? _packed;

    /// <param name="ring">The ring.</param>
    /// <param name="memory">The memory that it lies in.</param>
    /// <param name="features">What was negotiated.</param>
    /// <param name="call">None where the driver polls.</param>
    /// <param name="error">Raised when the ring breaks; none where the driver does not care.</param>
    /// <param name="hasDoorbell">Whether the driver can ring; a ring without is polled always.</param>
    public RunningRing(DeviceRing ring, MemoryTable memory, VirtioFeatures features, Descriptor? call, Descriptor? error, bool hasDoorbell)
    {
        Ring = ring;
        Memory = memory;
        Features = features;
        Call = call;
        Error = error;
        HasDoorbell = hasDoorbell;
        MaxReadLength = (features & Segmentation) != 0 ? EthernetSwitch.MaxLargeFrameLength : EthernetSwitch.MaxFrameLength;
        WantsChecksums = (features & VirtioFeatures.NetGuestChecksum) != 0;
        _split = ring as SplitDeviceRing;
        _packed = ring as PackedDeviceRing;
    }

    /// <summary>The ring, for what is not done for each frame.</summary>
    public DeviceRing Ring { get; }

    /// <summary>The memory that it lies in.</summary>
    public MemoryTable Memory { get; }

    /// <summary>What was negotiated.</summary>
    public VirtioFeatures Features { get; }

    /// <summary>The longest frame that the driver may send: longer than others where it may leave the cutting to the device.</summary>
    public int MaxReadLength { get; }

    /// <summary>Whether the driver wants to be told which checksums are right.</summary>
    public bool WantsChecksums { get; }

    /// <summary>None where the driver polls.</summary>
    public Descriptor? Call { get; }

    /// <summary>Raised when the ring breaks; none where the driver does not care.</summary>
    public Descriptor? Error { get; }

    /// <summary>Whether the driver can ring; a ring without is polled always.</summary>
    public bool HasDoorbell { get; }

    /// <inheritdoc cref="DeviceRing.TryRead(Span{byte}, Span{byte}, out int)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public RingRead TryRead(Span<byte> header, Span<byte> frame, out int length) =>
        _split is not null ? _split.TryRead(header, frame, out length) : _packed!.TryRead(header, frame, out length);

    /// <inheritdoc cref="DeviceRing.Complete"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Complete()
    {
        if (_split is not null)
        {
            _split.Complete();
        }
        else
        {
            _packed!.Complete();
        }
    }

    /// <inheritdoc cref="DeviceRing.TryWrite"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public RingWrite TryWrite(ReadOnlySpan<byte> header, ReadOnlySpan<byte> frame) =>
        _split is not null ? _split.TryWrite(header, frame) : _packed!.TryWrite(header, frame);

    /// <inheritdoc cref="DeviceRing.TryTakeRequest"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTakeRequest(out RingRequest request) =>
        _split is not null ? _split.TryTakeRequest(out request) : _packed!.TryTakeRequest(out request);

    /// <inheritdoc cref="DeviceRing.Return"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Return(RingRequest request, uint written)
    {
        if (_split is not null)
        {
            _split.Return(request, written);
        }
        else
        {
            _packed!.Return(request, written);
        }
    }

    /// <summary>Whether the last <see cref="PublishAndNote"/> has shown the driver something.</summary>
    public bool HasPublished { get; private set; }

    /// <inheritdoc cref="DeviceRing.Publish"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool PublishAndNote() => HasPublished = _split is not null ? _split.Publish() : _packed!.Publish();

    /// <inheritdoc cref="DeviceRing.OwnNext"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void OwnNext()
    {
        if (_split is not null)
        {
            _split.OwnNext();
        }
        else
        {
            _packed!.OwnNext();
        }
    }
}
