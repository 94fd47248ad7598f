namespace Arrakis.SoftDevice.Rings;

/// <summary>A chain that was taken out of a ring, and has to go back.</summary>
/// <param name="Id">The index of its head, or its buffer id.</param>
/// <param name="Descriptors">Descriptors that it has in a packed ring.</param>
public readonly record struct RingRequest(ushort Id, ushort Descriptors);

/// <content>Chains of requests: what the device reads, then what it writes (§2.6.4.2). They are taken in order and given back in any.</content>
public abstract unsafe partial class DeviceRing
{
    private readonly MemoryPiece[] _scratch = new MemoryPiece[MaxChainLength];
    private int _readable; // pieces at the front of the chain that was taken last which the device reads

    /// <summary>Bytes that the device reads of the request that was taken last.</summary>
    public ulong ReadableLength { get; private set; }

    /// <summary>Bytes that it may write.</summary>
    public ulong WritableLength { get; private set; }

    /// <summary>
    /// Takes the next chain out of the ring: the device has it until <see cref="Return"/>. Its parts are to be had here until the next is
    /// taken. False where there is none, or the ring is dead.
    /// </summary>
    public abstract bool TryTakeRequest(out RingRequest request);

    /// <summary>Gives a request back, at the next <see cref="Publish"/>.</summary>
    /// <param name="request">The request.</param>
    /// <param name="written">Bytes that were written into it.</param>
    public abstract void Return(RingRequest request, uint written);

    /// <summary>The ring is of no use any more: its driver does what no correct one does.</summary>
    public void Kill(RingFault fault) => Fault = fault;

    /// <summary>Copies out of the part that the device reads.</summary>
    /// <param name="offset">Where to begin; with the bytes wanted, inside the part.</param>
    /// <param name="destination">Takes the bytes.</param>
    public void CopyFromRequest(ulong offset, Span<byte> destination)
    {
        int count = Pieces(isWritten: false, offset, (ulong)destination.Length, _scratch);
        foreach (MemoryPiece piece in _scratch.AsSpan(0, count))
        {
            piece.Bytes.CopyTo(destination);
            destination = destination[(int)piece.Length..];
        }
    }

    /// <summary>Copies into the part that the device writes.</summary>
    /// <param name="offset">Where to begin; with the bytes given, inside the part.</param>
    /// <param name="source">The bytes.</param>
    public void CopyToRequest(ulong offset, ReadOnlySpan<byte> source)
    {
        int count = Pieces(isWritten: true, offset, (ulong)source.Length, _scratch);
        foreach (MemoryPiece piece in _scratch.AsSpan(0, count))
        {
            source[..(int)piece.Length].CopyTo(piece.Bytes);
            source = source[(int)piece.Length..];
        }
    }

    /// <summary>The pieces of memory of a range of the request that was taken last.</summary>
    /// <param name="isWritten">Of the part that the device writes, or of that which it reads.</param>
    /// <param name="offset">Where in the part the range begins; it is wholly inside.</param>
    /// <param name="length">Bytes of the range.</param>
    /// <param name="pieces">Takes them; room for <see cref="MaxChainLength"/> is enough.</param>
    /// <returns>How many there are.</returns>
    internal int Pieces(bool isWritten, ulong offset, ulong length, Span<MemoryPiece> pieces)
    {
        ReadOnlySpan<MemoryPiece> part = isWritten ? _segments.AsSpan(_readable, _segmentCount - _readable) : _segments.AsSpan(0, _readable);
        int count = 0;
        foreach (MemoryPiece segment in part)
        {
            if (length == 0)
            {
                break;
            }

            if (offset >= segment.Length)
            {
                offset -= segment.Length;
                continue;
            }

            uint taken = (uint)Math.Min(segment.Length - offset, length);
            pieces[count++] = segment.Part((uint)offset, taken);
            length -= taken;
            offset = 0;
        }

        return count;
    }

    private protected void BeginRequest()
    {
        _segmentCount = _chainStart = 0;
        _room = 0;
    }

    /// <summary>Finds where the part that is written begins.</summary>
    private protected bool TryDivide()
    {
        ReadOnlySpan<MemoryPiece> segments = _segments.AsSpan(0, _segmentCount);
        int readable = 0;
        ulong length = 0;
        while (readable < segments.Length && !segments[readable].IsWritten)
        {
            length += segments[readable++].Length;
        }

        foreach (MemoryPiece segment in segments[readable..])
        {
            if (!segment.IsWritten)
            {
                Fault = RingFault.BuffersOutOfOrder;
                return false;
            }
        }

        _readable = readable;
        ReadableLength = length;
        WritableLength = _room - length;
        return true;
    }
}
