using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.Native.Events;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Rings;

/// <summary>
/// The driver's side of a split virtqueue (virtio 1.2 §2.7): the three shared parts, and private copies of all that the
/// driver must not read back from memory that the device can write.
/// </summary>
/// <remarks>
/// Whatever the device wrote is read once into a local and checked before use. A struct inside each ring: nothing here is
/// virtual, and the compiler puts it all into the ring's loop.
/// </remarks>
internal unsafe struct SplitRing
{
    private readonly byte* _descriptors;
    private readonly byte* _available;
    private readonly byte* _used;
    private readonly EventFd _doorbell;
    private readonly uint _mask;

    // Where the next available entry goes, the index that the device was last told, and the next used entry to look at:
    // free-running, of which the low 16 bits are the ring's (§2.7.6). Invariant: _used <= _published <= _next, within one size.
    private uint _nextAvailable;
    private uint _published;
    private uint _nextUsed;

    public SplitRing(DmaRegion region, QueueGrant queue, EventFd doorbell)
    {
        VirtqueueLayout layout = queue.Ring;
        _descriptors = region.At(layout.DescriptorArea, layout.DescriptorAreaLength);
        _available = region.At(layout.DriverArea, layout.DriverAreaLength);
        _used = region.At(layout.DeviceArea, layout.DeviceAreaLength);
        _doorbell = doorbell;
        _mask = (uint)layout.QueueSize - 1;
        Direction = queue.Direction;

        // While the driver polls it needs no event (§2.7.7).
        DisarmEvents();
    }

    /// <summary>Which way the ring carries packets.</summary>
    public QueueDirection Direction { get; }

    /// <summary>Descriptors in the ring.</summary>
    public readonly int Size => (int)_mask + 1;

    /// <summary>Descriptors that the device has been told of and has not given back.</summary>
    public readonly int Outstanding => (int)(_published - _nextUsed);

    /// <summary>Descriptors made available that the device has not been told of.</summary>
    public readonly int Unpublished => (int)(_nextAvailable - _published);

    /// <summary>Writes a descriptor that the driver owns. The device sees it no sooner than <see cref="Publish"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void WriteDescriptor(uint id, Iova address, uint length, ushort flags)
    {
        byte* descriptor = _descriptors + (nint)(id & _mask) * SplitFormat.DescriptorSize;
        Volatile.Write(ref *(ulong*)descriptor, address.Value);

        // Length, flags and next (zero) in one store.
        Volatile.Write(ref *(ulong*)(descriptor + SplitFormat.DescriptorLengthOffset), length | (ulong)flags << 32);
    }

    /// <summary>Puts a descriptor into the next available entry.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void MakeAvailable(uint id)
    {
        byte* entry = _available + SplitFormat.EntriesOffset + (nint)(_nextAvailable++ & _mask) * SplitFormat.AvailableEntrySize;

        // A device that works in order gets the same ids in the same entries each round: leaving them as they are spares
        // it a cache miss on the line.
        if (Volatile.Read(ref *(ushort*)entry) != (ushort)id)
        {
            Volatile.Write(ref *(ushort*)entry, (ushort)id);
        }
    }

    /// <summary>Tells the device of all available entries, and rings the doorbell where it wants that: the one place with barriers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Publish()
    {
        _published = _nextAvailable;

        // Release: descriptors and entries are visible before the index that makes the device read them (§2.7.13.3.1).
        Volatile.Write(ref *(ushort*)(_available + SplitFormat.IndexOffset), (ushort)_nextAvailable);

        // Full barrier: the index is visible before the device's flag is read (§2.7.13.4.1). Without it both sides could read
        // the other's old value, and a sleeping device would not hear of the new entries. Needed on x86-64 too, where a
        // load may pass an earlier store.
        Interlocked.MemoryBarrier();
        if ((Volatile.Read(ref *(ushort*)_used) & SplitFormat.UsedNoNotify) == 0)
        {
            RingDoorbell();
        }
    }

    /// <summary>Wakes the device whatever its flag says.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public readonly void RingDoorbell() => _doorbell.Signal();

    /// <summary>How many used entries wait.</summary>
    /// <exception cref="RingCorruptException">The device's index is ahead of what it was given.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly int CountUsed()
    {
        // Acquire: the index is read before the entries and buffers that it covers (§2.7.14).
        ushort index = Volatile.Read(ref *(ushort*)(_used + SplitFormat.IndexOffset));
        uint count = (ushort)(index - (ushort)_nextUsed);
        if (count > (uint)Outstanding)
        {
            ThrowIndex(index, count);
        }

        return (int)count;
    }

    /// <summary>Reads the next used entry, which <see cref="CountUsed"/> has said to be there. The caller checks id and length.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong TakeUsed()
    {
        // Id (low half) and length (high half) in one load.
        return Volatile.Read(ref *(ulong*)(_used + SplitFormat.EntriesOffset + (nint)(_nextUsed++ & _mask) * SplitFormat.UsedEntrySize));
    }

    /// <summary>Asks the device for an event at the next used entry. False, and no event asked, where entries wait already.</summary>
    public readonly bool TryArmEvents()
    {
        Volatile.Write(ref *(ushort*)_available, 0);

        // Full barrier: the device sees the flag, or this side sees what it used meanwhile (§2.7.7, §2.7.14).
        Interlocked.MemoryBarrier();
        if (CountUsed() == 0)
        {
            return true;
        }

        DisarmEvents();
        return false;
    }

    /// <summary>The driver polls: no events. A hint only, so nothing has to be ordered.</summary>
    public readonly void DisarmEvents() => Volatile.Write(ref *(ushort*)_available, SplitFormat.AvailableNoInterrupt);

    [DoesNotReturn]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private readonly void ThrowIndex(ushort index, uint count) =>
        ThrowCorrupt($"used index {index} is {count} after the last one, with {Outstanding} descriptors outstanding");

    /// <summary>The device broke the rules.</summary>
    [DoesNotReturn]
    [MethodImpl(MethodImplOptions.NoInlining)]
    public readonly void ThrowCorrupt(string reason) => throw new RingCorruptException(Direction, reason);
}
