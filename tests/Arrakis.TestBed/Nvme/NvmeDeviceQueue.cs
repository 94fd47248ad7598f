using System.Numerics;
using Arrakis.Wire.Nvme;

namespace Arrakis.TestBed.Nvme;

/// <summary>
/// The controller's side of a queue pair (NVMe 2.0 §3.3.1): takes commands up to the tail doorbell, and completes them in any order that
/// its owner likes. It can also write what no controller should.
/// </summary>
public sealed unsafe class NvmeDeviceQueue
{
    private readonly byte* _submission;
    private readonly byte* _completion;
    private readonly uint* _tail;
    private readonly uint* _head;
    private readonly ushort _id;
    private readonly uint _mask;
    private readonly int _shift;

    /// <summary>Makes it.</summary>
    /// <param name="submission">The submission queue.</param>
    /// <param name="completion">The completion queue.</param>
    /// <param name="size">Entries of each: a power of two.</param>
    /// <param name="tail">The tail doorbell.</param>
    /// <param name="head">The head doorbell.</param>
    /// <param name="id">The queue's identifier.</param>
    public NvmeDeviceQueue(byte* submission, byte* completion, int size, uint* tail, uint* head, ushort id = 1)
    {
        _submission = submission;
        _completion = completion;
        _tail = tail;
        _head = head;
        _id = id;
        _mask = (uint)size - 1;
        _shift = BitOperations.Log2((uint)size);
    }

    /// <summary>Commands taken, counted.</summary>
    public uint Fetched { get; private set; }

    /// <summary>Completions written, counted.</summary>
    public uint Posted { get; private set; }

    /// <summary>Whether there is an entry that the driver has given back.</summary>
    public bool HasRoom => (Posted + 1 - Volatile.Read(ref *_head) & _mask) != 0;

    /// <summary>Takes the next command. False where the driver has told of none.</summary>
    /// <exception cref="InvalidOperationException">The tail doorbell has a value that is no place in the queue.</exception>
    public bool TryFetch(out NvmeCommand command)
    {
        uint tail = Volatile.Read(ref *_tail);
        if (tail > _mask)
        {
            throw new InvalidOperationException($"The tail doorbell says {tail} in a queue of {_mask + 1}.");
        }

        if (tail == (Fetched & _mask))
        {
            command = default;
            return false;
        }

        command = NvmeCommand.Read(new ReadOnlySpan<byte>(_submission + (nint)(Fetched & _mask) * NvmeCommand.Size, NvmeCommand.Size));
        Fetched++;
        return true;
    }

    /// <summary>Completes a command.</summary>
    /// <param name="id">Its identifier.</param>
    /// <param name="status">Type and code of how it ended.</param>
    /// <param name="result">Dword 0.</param>
    /// <exception cref="InvalidOperationException">The completion queue is full: the driver has more commands in flight than it may, or gives nothing back.</exception>
    public void Complete(ushort id, ushort status = NvmeStatus.Success, uint result = 0)
    {
        if (!HasRoom)
        {
            throw new InvalidOperationException("The completion queue is full.");
        }

        Write(Fetched & _mask | (uint)_id << 16, NvmeCompletion.ComposeDword3(id, Phase(Posted), new NvmeStatus(status)), result);
    }

    /// <summary>Writes the next completion entry as it is told.</summary>
    public void Write(uint dword2, uint dword3, uint dword0 = 0) => WriteAt(Posted++, dword2, dword3, dword0);

    /// <summary>Writes an entry at any place, counted; the queue does not go on.</summary>
    public void WriteAt(uint place, uint dword2, uint dword3, uint dword0 = 0)
    {
        byte* entry = _completion + (nint)(place & _mask) * NvmeCompletion.Size;
        Volatile.Write(ref *(uint*)entry, dword0);
        Volatile.Write(ref *(uint*)(entry + NvmeCompletion.Dword2Offset), dword2);
        Volatile.Write(ref *(uint*)(entry + NvmeCompletion.Dword3Offset), dword3);
    }

    /// <summary>The phase tag of a place, counted: 1 in the first round.</summary>
    public bool Phase(uint place) => (place >> _shift & 1) == 0;
}
