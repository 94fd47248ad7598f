using System.Buffers.Binary;
using Arrakis.SoftDevice.Rings;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.Fuzz.Targets.BlockDevice;

/// <summary>A driver that writes whatever the input says, wherever in its memory: into descriptors, indices, headers and data.</summary>
internal sealed class HostileDriver : IDisposable
{
    /// <summary>Bytes at the start of its memory that an input fills: the ring, and after it headers, segments and tables.</summary>
    public const int ImageLength = 1536;

    /// <summary>Where in these the headers are.</summary>
    public const int Headers = 1024;

    /// <summary>Where data is.</summary>
    public const int Data = 2048;

    private const int Length = 8192;

    private readonly GuardedMemory _memory = new(Length);
    private BlockMachine? _machine;
    private DriverMemory? _ring;
    private DeviceRing? _device;
    private VirtioFeatures _features;
    private RingFault _fault;

    /// <summary>Begins with what an input has for its memory.</summary>
    public void Start(BlockMachine machine, RingFormat format, VirtioFeatures features, ReadOnlySpan<byte> image, ushort next)
    {
        _memory.Bytes.Clear();
        image.CopyTo(_memory.Bytes);
        _machine = machine;
        _ring = new DriverMemory(format, _memory);
        _features = features;
        Attach(next);
    }

    /// <summary>Ends it.</summary>
    public void Stop()
    {
        _machine!.Detach(BlockMachine.Hostile);
        _device = null;
    }

    /// <summary>Does what the input says.</summary>
    public void Step(ref InputReader reader)
    {
        Span<byte> bytes = _memory.Bytes;
        switch (reader.Byte() % 6)
        {
            case 0:
                bytes[reader.Short() % Length] = reader.Byte();
                break;
            case 1:
                BinaryPrimitives.WriteUInt64LittleEndian(bytes[(reader.Short() % (Length - sizeof(ulong)))..], reader.Long());
                break;
            case 2:
                int index = reader.Byte() % DriverMemory.Size;
                ulong address = reader.Byte() < 0xE0 ? GuardedMemory.Iova + reader.Short() % (ulong)(Length + 64) : reader.Long();
                _ring!.Write((int)_ring.Layout.DescriptorArea + index * SplitFormat.DescriptorSize, new Descriptor(address, reader.Byte() < 0xE0 ? reader.Short() : reader.Word(), reader.Short()), reader.Short());
                break;
            case 3 when _ring!.IsPacked:
                long flags = _ring.Layout.DescriptorArea + reader.Byte() % DriverMemory.Size * PackedFormat.DescriptorSize + PackedFormat.DescriptorFlagsOffset;
                _ring.Set(flags, (ushort)(_ring.Short(flags) ^ (DescriptorFlags.Available | DescriptorFlags.Used)));
                break;
            case 3:
                _ring!.MakeAvailable(reader.Byte());
                break;
            case 4:
                new VirtioBlockRequest((VirtioBlockType)(reader.Byte() % 16), reader.Byte() % 32u).Write(bytes[(Headers + reader.Byte() % 32 * VirtioBlockRequest.HeaderLength)..]);
                break;
            default:
                // As after GET_VRING_BASE: whatever the disk has is waited for, and the ring begins anew.
                Stop();
                Attach(reader.Short());
                break;
        }
    }

    /// <summary>What holds of it after each round of the device.</summary>
    public void Check()
    {
        FuzzTarget.Promise(_memory.IsIntact, "nothing around the memory is written");
        FuzzTarget.Promise(!ForeignBytes.AreIn(_memory.Bytes), "no byte of another's memory or blocks gets into the memory");
        if (_device is { } device)
        {
            FuzzTarget.Promise(_fault == RingFault.None || device.Fault == _fault, "a dead ring stays dead");
            FuzzTarget.Promise(
                device.Fault == _fault || _machine!.Port(BlockMachine.Hostile).TakeFault()?.Contains(device.Fault.ToString(), StringComparison.Ordinal) == true,
                "a ring that is broken says why");
            _fault = device.Fault;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();

    private void Attach(ushort next)
    {
        _device = _ring!.Attach(_features, next);
        _fault = RingFault.None;
        FuzzTarget.Promise(_device is not null || _ring.IsPacked, "a split ring inside the memory can be attached");
        if (_device is not null)
        {
            _machine!.Attach(BlockMachine.Hostile, _device, _features, _memory);
        }
    }
}
