using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.TestBed.Storage;

/// <summary>
/// The device's side of a virtqueue of block requests (virtio 1.2 §2.7, §2.8, §5.2.6), written from the specification for tests and
/// benchmarks alone: it can hold requests and give them back in any order, and allocates nothing. It insists that the driver keeps the rules.
/// </summary>
internal sealed unsafe class BlockDeviceRing
{
    private const int MaxParts = 3;
    private const uint OwnerBits = (uint)(DescriptorFlags.Available | DescriptorFlags.Used);

    private readonly byte* _memory;
    private readonly long _length;
    private readonly ulong _iova;
    private readonly RingLayout _ring;
    private readonly int _mask;
    private readonly (long Offset, uint Length, bool IsWritable)[] _parts = new (long, uint, bool)[MaxParts];
    private int _partCount;
    private long _nextAvailable; // Descriptors in a packed ring, entries in a split one.
    private long _nextUsed;
    private long _shown;
    private ulong _firstWord; // Packed: the first used descriptor that is not shown is written last.
    private long _firstPlace = -1;

    public BlockDeviceRing(byte* memory, long length, ulong iova, RingLayout ring)
    {
        _memory = memory;
        _length = length;
        _iova = iova;
        _ring = ring;
        _mask = ring.QueueSize - 1;
    }

    private bool IsPacked => _ring.Format == RingFormat.Packed;

    /// <summary>Takes the next request, if there is one.</summary>
    public bool TryTake(out DeviceBlockRequest request)
    {
        request = default;
        _partCount = 0;
        if (!(IsPacked ? TryTakePacked(out ushort id, out int descriptors) : TryTakeSplit(out id, out descriptors)))
        {
            return false;
        }

        Require(_partCount >= 2, "a request has a header and a status");
        (long header, uint headerLength, bool isHeaderWritable) = _parts[0];
        (long status, uint statusLength, bool isStatusWritable) = _parts[_partCount - 1];
        Require(headerLength == VirtioBlockRequest.HeaderLength && !isHeaderWritable, "a request begins with a header that the device reads");
        Require(statusLength == VirtioBlockRequest.StatusLength && isStatusWritable, "a request ends with a status that the device writes");
        var read = VirtioBlockRequest.Read(new ReadOnlySpan<byte>(_memory + header, VirtioBlockRequest.HeaderLength));
        (long data, uint dataLength, bool isDataWritable) = _partCount == MaxParts ? _parts[1] : (0, 0, false);
        ulong sector = read.Sector;
        long sectors = dataLength / VirtioBlockRequest.SectorSize;
        switch (read.Type)
        {
            case VirtioBlockType.Read or VirtioBlockType.Write:
                Require(_partCount == MaxParts && isDataWritable == (read.Type == VirtioBlockType.Read), "data goes the way that the type says");
                break;
            case VirtioBlockType.Discard or VirtioBlockType.WriteZeroes:
                Require(dataLength == VirtioBlockSegment.Length && !isDataWritable, "a segment is 16 bytes that the device reads");
                var segment = VirtioBlockSegment.Read(new ReadOnlySpan<byte>(_memory + data, VirtioBlockSegment.Length));
                Require(segment.Flags == 0, "no flag is set");
                sector = segment.Sector;
                sectors = segment.Count;
                break;
            default:
                Require(read.Type == VirtioBlockType.Flush && _partCount == 2 && sector == 0, "a flush has no data");
                break;
        }

        request = new DeviceBlockRequest(id, descriptors, read.Type, sector, sectors, data, (int)dataLength, status);
        return true;
    }

    /// <summary>Gives a request back, at the next <see cref="Publish"/>.</summary>
    public void Use(ushort id, int descriptors, uint length)
    {
        if (!IsPacked)
        {
            byte* entry = _memory + _ring.DeviceArea + SplitFormat.EntriesOffset + (_nextUsed++ & _mask) * SplitFormat.UsedEntrySize;
            Volatile.Write(ref *(ulong*)entry, id | (ulong)length << 32);
            return;
        }

        ulong word = length | (ulong)id << 32 | (Wrap(_nextUsed) ? (ulong)OwnerBits << 48 : 0);
        long place = Place(_nextUsed) + PackedFormat.DescriptorLengthOffset;
        if (_firstPlace < 0)
        {
            (_firstPlace, _firstWord) = (place, word);
        }
        else
        {
            Volatile.Write(ref *(ulong*)(_memory + place), word);
        }

        _nextUsed += descriptors;
    }

    /// <summary>Shows the driver what was given back. True where the driver wants an event for that.</summary>
    public bool Publish()
    {
        if (_shown == _nextUsed)
        {
            return false;
        }

        _shown = _nextUsed;
        if (!IsPacked)
        {
            Volatile.Write(ref *(ushort*)(_memory + _ring.DeviceArea + SplitFormat.IndexOffset), (ushort)_nextUsed);
            Interlocked.MemoryBarrier();
            return (Volatile.Read(ref *(ushort*)(_memory + _ring.DriverArea)) & SplitFormat.AvailableNoInterrupt) == 0;
        }

        Volatile.Write(ref *(ulong*)(_memory + _firstPlace), _firstWord);
        _firstPlace = -1;
        Interlocked.MemoryBarrier();
        return Volatile.Read(ref *(ushort*)(_memory + _ring.DriverArea + PackedFormat.EventFlagsOffset)) == PackedFormat.EventsEnabled;
    }

    /// <summary>Whether the driver is to ring at what it makes available.</summary>
    public void AskForDoorbell(bool wanted)
    {
        if (IsPacked)
        {
            Volatile.Write(ref *(ushort*)(_memory + _ring.DeviceArea + PackedFormat.EventFlagsOffset), wanted ? PackedFormat.EventsEnabled : PackedFormat.EventsDisabled);
        }
        else
        {
            Volatile.Write(ref *(ushort*)(_memory + _ring.DeviceArea), wanted ? (ushort)0 : SplitFormat.UsedNoNotify);
        }

        Interlocked.MemoryBarrier();
    }

    private bool TryTakeSplit(out ushort id, out int descriptors)
    {
        (id, descriptors) = (0, 1);
        ushort available = Volatile.Read(ref *(ushort*)(_memory + _ring.DriverArea + SplitFormat.IndexOffset));
        if (available == (ushort)_nextAvailable)
        {
            return false;
        }

        Require((ushort)(available - (ushort)_nextAvailable) <= _mask + 1, "no more is available than the ring has");
        id = Volatile.Read(ref *(ushort*)(_memory + _ring.DriverArea + SplitFormat.EntriesOffset + (_nextAvailable++ & _mask) * SplitFormat.AvailableEntrySize));
        byte* table = _memory + _ring.DescriptorArea;
        int count = _mask + 1;
        int at = id;
        while (true)
        {
            Require(at < count, "a chain stays in its table");
            byte* descriptor = table + at * SplitFormat.DescriptorSize;
            ulong address = *(ulong*)descriptor;
            uint length = *(uint*)(descriptor + SplitFormat.DescriptorLengthOffset);
            ushort flags = *(ushort*)(descriptor + SplitFormat.DescriptorFlagsOffset);
            if ((flags & DescriptorFlags.Indirect) != 0)
            {
                Require(flags == DescriptorFlags.Indirect && length % SplitFormat.DescriptorSize == 0 && table == _memory + _ring.DescriptorArea, "a table stands alone");
                table = _memory + Offset(address, length);
                count = (int)length / SplitFormat.DescriptorSize;
                at = 0;
                continue;
            }

            AddPart(address, length, flags);
            if ((flags & DescriptorFlags.Next) == 0)
            {
                return true;
            }

            descriptors += table == _memory + _ring.DescriptorArea ? 1 : 0;
            at = *(ushort*)(descriptor + SplitFormat.DescriptorNextOffset);
        }
    }

    private bool TryTakePacked(out ushort id, out int descriptors)
    {
        (id, descriptors) = (0, 0);
        ushort owner = Volatile.Read(ref *(ushort*)(_memory + Place(_nextAvailable) + PackedFormat.DescriptorFlagsOffset));
        if (!IsAvailable(owner, _nextAvailable))
        {
            return false;
        }

        while (true)
        {
            byte* descriptor = _memory + Place(_nextAvailable);
            ulong address = *(ulong*)descriptor;
            uint length = *(uint*)(descriptor + PackedFormat.DescriptorLengthOffset);
            ushort flags = *(ushort*)(descriptor + PackedFormat.DescriptorFlagsOffset);
            id = *(ushort*)(descriptor + PackedFormat.DescriptorIdOffset);
            Require(IsAvailable(flags, _nextAvailable), "a whole chain is available");
            _nextAvailable++;
            descriptors++;
            if ((flags & DescriptorFlags.Indirect) != 0)
            {
                Require(descriptors == 1 && (flags & (DescriptorFlags.Next | DescriptorFlags.Write)) == 0, "a table stands alone");
                byte* table = _memory + Offset(address, length);
                for (int i = 0; i < length / PackedFormat.DescriptorSize; i++, table += PackedFormat.DescriptorSize)
                {
                    AddPart(
                        *(ulong*)table,
                        *(uint*)(table + PackedFormat.DescriptorLengthOffset),
                        *(ushort*)(table + PackedFormat.DescriptorFlagsOffset));
                }

                return true;
            }

            AddPart(address, length, flags);
            if ((flags & DescriptorFlags.Next) == 0)
            {
                return true;
            }
        }
    }

    private void AddPart(ulong address, uint length, ushort flags)
    {
        Require(_partCount < MaxParts, "a request has three parts at most");
        _parts[_partCount++] = (Offset(address, length), length, (flags & DescriptorFlags.Write) != 0);
    }

    private long Offset(ulong address, uint length)
    {
        ulong offset = address - _iova;
        Require(offset < (ulong)_length && length <= (ulong)_length - offset, "an address is in queue memory");
        return (long)offset;
    }

    private long Place(long descriptor) => _ring.DescriptorArea + (descriptor & _mask) * PackedFormat.DescriptorSize;

    private bool Wrap(long descriptor) => (descriptor & (_mask + 1)) == 0;

    private bool IsAvailable(ushort flags, long descriptor) =>
        (flags & OwnerBits) == (Wrap(descriptor) ? DescriptorFlags.Available : (uint)DescriptorFlags.Used);

    private static void Require(bool condition, string rule)
    {
        if (!condition)
        {
            throw new InvalidOperationException($"The driver broke a rule: {rule}.");
        }
    }
}
