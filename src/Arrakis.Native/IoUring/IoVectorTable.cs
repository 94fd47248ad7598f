using System.Runtime.InteropServices;

namespace Arrakis.Native.IoUring;

/// <summary>Rows of iovecs outside of the managed heap, where they stay while the kernel works with them. For one thread.</summary>
public sealed unsafe class IoVectorTable : IDisposable
{
    private readonly Vector* _vectors;
    private readonly int[] _first;
    private readonly int[] _count;
    private bool _isDisposed;

    /// <param name="rows">How many rows.</param>
    /// <param name="width">Vectors that a row has room for.</param>
    public IoVectorTable(int rows, int width)
    {
        Width = width;
        _first = new int[rows];
        _count = new int[rows];
        _vectors = (Vector*)NativeMemory.AllocZeroed((nuint)rows * (nuint)width, (nuint)sizeof(Vector));
    }

    /// <summary>Vectors that a row has room for.</summary>
    public int Width { get; }

    /// <summary>Empties a row.</summary>
    public void Clear(int row) => _first[row] = _count[row] = 0;

    /// <summary>Puts memory at the end of a row.</summary>
    public void Add(int row, ulong address, uint length)
    {
        int at = _first[row] + _count[row];
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(at, Width);
        Row(row)[at] = new Vector { Address = address, Length = length };
        _count[row]++;
    }

    /// <summary>Where a row's vectors are, and how many hold the first bytes of it. The last of them is cut there; <see cref="Advance"/> gives its rest back.</summary>
    /// <param name="row">The row.</param>
    /// <param name="bytes">How many bytes are wanted; no more than the row has.</param>
    /// <param name="rest">Bytes that the last vector was cut by.</param>
    public (ulong Address, int Count) Head(int row, long bytes, out ulong rest)
    {
        Vector* vector = Row(row) + _first[row];
        int count = 0;
        rest = 0;
        while (bytes > 0)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(count, _count[row], nameof(bytes));
            ulong length = vector[count].Length;
            if (length > (ulong)bytes)
            {
                rest = length - (ulong)bytes;
                vector[count].Length = (ulong)bytes;
            }

            bytes -= (long)vector[count].Length;
            count++;
        }

        return ((ulong)vector, count);
    }

    /// <summary>Takes bytes off the front of a row.</summary>
    /// <param name="row">The row.</param>
    /// <param name="headCount">What <see cref="Head"/> said: how many vectors.</param>
    /// <param name="rest">What it said: what the last was cut by.</param>
    /// <param name="bytes">How many bytes; no more than were asked for there.</param>
    public void Advance(int row, int headCount, ulong rest, long bytes)
    {
        Vector* vector = Row(row);
        vector[_first[row] + headCount - 1].Length += rest;
        while (bytes > 0)
        {
            Vector* first = vector + _first[row];
            ulong taken = Math.Min(first->Length, (ulong)bytes);
            first->Address += taken;
            first->Length -= taken;
            bytes -= (long)taken;
            if (first->Length == 0)
            {
                _first[row]++;
                _count[row]--;
            }
        }
    }

    /// <summary>Whether all addresses and lengths of a row are multiples of a power of two.</summary>
    public bool IsAligned(int row, uint unit)
    {
        ulong bits = 0;
        foreach (ref readonly Vector vector in Used(row))
        {
            bits |= vector.Address | vector.Length;
        }

        return (bits & (unit - 1)) == 0;
    }

    /// <summary>Copies what a row names.</summary>
    /// <param name="row">The row.</param>
    /// <param name="destination">Takes the bytes: as many as the row has.</param>
    public void CopyTo(int row, Span<byte> destination)
    {
        foreach (ref readonly Vector vector in Used(row))
        {
            new ReadOnlySpan<byte>((void*)vector.Address, (int)vector.Length).CopyTo(destination);
            destination = destination[(int)vector.Length..];
        }
    }

    /// <summary>Copies into what a row names.</summary>
    /// <param name="row">The row.</param>
    /// <param name="source">The bytes: as many as the row has.</param>
    public void CopyFrom(int row, ReadOnlySpan<byte> source)
    {
        foreach (ref readonly Vector vector in Used(row))
        {
            source[..(int)vector.Length].CopyTo(new Span<byte>((void*)vector.Address, (int)vector.Length));
            source = source[(int)vector.Length..];
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            NativeMemory.Free(_vectors);
        }
    }

    private Vector* Row(int row) => _vectors + (nint)row * Width;

    private Span<Vector> Used(int row) => new(Row(row) + _first[row], _count[row]);

    /// <summary>struct iovec.</summary>
    private struct Vector
    {
        public ulong Address;
        public ulong Length;
    }
}
