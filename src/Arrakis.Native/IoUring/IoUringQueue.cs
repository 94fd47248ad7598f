using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tmds.Linux;

namespace Arrakis.Native.IoUring;

/// <summary>How operations get from the queue to the kernel.</summary>
public enum IoUringSubmitter
{
    /// <summary>The caller takes them there, a system call a batch.</summary>
    Caller,

    /// <summary>A thread of the kernel looks for them (IORING_SETUP_SQPOLL): no system call, and a core that it needs.</summary>
    Kernel,
}

/// <summary>
/// Asynchronous operations on one file (io_uring_setup(2)). For one thread. Completions are looked for in memory: no system call but where
/// the kernel has work to finish on the caller's thread and says so (IORING_SQ_TASKRUN).
/// </summary>
public sealed unsafe class IoUringQueue : IDisposable
{
    private const long SetupCall = 425;
    private const long EnterCall = 426;
    private const long RegisterCall = 427;
    private const long SubmissionRingOffset = 0;
    private const long EntriesOffset = 0x1000_0000;
    private const int ParametersLength = 120; // struct io_uring_params
    private const int SetupFlagsAt = 8;
    private const int SubmissionOffsetsAt = 40; // struct io_sqring_offsets
    private const int CompletionOffsetsAt = 80; // struct io_cqring_offsets
    private const int FeaturesAt = 20;
    private const int SleepAt = 16;
    private const uint SetupKernelThread = 1 << 1;
    private const uint SetupCooperative = 1 << 8; // IORING_SETUP_COOP_TASKRUN, from 5.19 on: no interruption of the thread for each completion
    private const uint SetupTaskFlag = 1 << 9; // IORING_SETUP_TASKRUN_FLAG
    private const uint FeatureSingleMapping = 1;
    private const uint EnterGetEvents = 1;
    private const uint EnterWakeUp = 2;
    private const uint NeedsWakeUp = 1;
    private const uint HasOverflow = 2;
    private const uint HasTaskWork = 4;
    private const uint RegisterFiles = 2;
    private const byte FixedFile = 1;
    private const uint KernelThreadIdle = 1000; // milliseconds until it sleeps
    private const int CompletionLength = 16;

    private readonly Descriptor _ring;
    private readonly bool _hasKernelThread;
    private readonly byte* _shared;
    private readonly nuint _sharedLength;
    private readonly Entry* _entries;
    private readonly nuint _entriesLength;
    private readonly uint* _submissionHead;
    private readonly uint* _submissionTail;
    private readonly uint* _flags;
    private readonly uint _submissionMask;
    private readonly uint* _completionHead;
    private readonly uint* _completionTail;
    private readonly byte* _completions;
    private readonly uint _completionMask;
    private uint _tail; // of the submissions, those included that are not shown yet
    private uint _submitted; // taken by the kernel; of a kernel thread, shown to it
    private bool _isDisposed;

    private IoUringQueue(Descriptor ring, byte* parameters, bool hasKernelThread)
    {
        _ring = ring;
        _hasKernelThread = hasKernelThread;
        uint entries = *(uint*)parameters;
        uint completions = *(uint*)(parameters + 4);
        uint* submission = (uint*)(parameters + SubmissionOffsetsAt); // head, tail, mask, entries, flags, dropped, array
        uint* completion = (uint*)(parameters + CompletionOffsetsAt); // head, tail, mask, entries, overflow, completions
        Depth = (int)entries;
        _sharedLength = Math.Max(submission[6] + entries * sizeof(uint), completion[5] + completions * CompletionLength);
        _entriesLength = entries * (nuint)sizeof(Entry);
        _shared = Map(_sharedLength, SubmissionRingOffset);
        _entries = (Entry*)Map(_entriesLength, EntriesOffset);
        _submissionHead = (uint*)(_shared + submission[0]);
        _submissionTail = (uint*)(_shared + submission[1]);
        _submissionMask = *(uint*)(_shared + submission[2]);
        _flags = (uint*)(_shared + submission[4]);
        uint* places = (uint*)(_shared + submission[6]);
        for (uint i = 0; i < entries; i++)
        {
            places[i] = i;
        }

        _completionHead = (uint*)(_shared + completion[0]);
        _completionTail = (uint*)(_shared + completion[1]);
        _completionMask = *(uint*)(_shared + completion[2]);
        _completions = _shared + completion[5];
    }

    /// <summary>Operations that can be prepared at once.</summary>
    public int Depth { get; }

    /// <summary>Makes a queue of operations on a file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="depth">Operations that can be prepared at once: a power of two.</param>
    /// <param name="submitter">How they get to the kernel.</param>
    /// <exception cref="LinuxException">The kernel has no io_uring (ENOSYS), does not let this process have it (EPERM, /proc/sys/kernel/io_uring_disabled), or has no memory.</exception>
    public static IoUringQueue Open(Descriptor file, int depth, IoUringSubmitter submitter)
    {
        ArgumentNullException.ThrowIfNull(file);
        bool hasKernelThread = submitter == IoUringSubmitter.Kernel;
        byte* parameters = stackalloc byte[ParametersLength];
        uint flags = hasKernelThread ? SetupKernelThread : SetupCooperative | SetupTaskFlag;
        nint number = Setup(parameters, depth, flags);
        if (number < 0 && LibC.errno == LibC.EINVAL && !hasKernelThread)
        {
            number = Setup(parameters, depth, 0);
        }

        LinuxException.ThrowIfNegative(number, "io_uring_setup");
        var ring = new Descriptor((int)number);
        try
        {
            if ((*(uint*)(parameters + FeaturesAt) & FeatureSingleMapping) == 0)
            {
                throw new LinuxException("io_uring_setup: the kernel is older than 5.4", LibC.ENOSYS);
            }

            int fileNumber = file.Number;
            LinuxException.ThrowIfNegative(LibcExtra.Syscall((nint)RegisterCall, ring.Number, (nint)RegisterFiles, (nint)(&fileNumber), 1, 0), "io_uring_register(files)");
            return new IoUringQueue(ring, parameters, hasKernelThread);
        }
        catch (LinuxException)
        {
            ring.Dispose();
            throw;
        }
    }

    /// <summary>Whether one more can be prepared.</summary>
    public bool HasRoom => _tail - Volatile.Read(ref *_submissionHead) < (uint)Depth;

    /// <summary>Prepares an operation, which the kernel sees at the next <see cref="Submit"/>. False where there is no room.</summary>
    public bool TryPrepare(in IoUringOperation operation)
    {
        if (!HasRoom)
        {
            return false;
        }

        Entry* entry = _entries + (_tail & _submissionMask);
        *entry = new Entry
        {
            Opcode = operation.Opcode,
            Flags = FixedFile,
            File = 0, // place among the registered files
            Offset = operation.Offset,
            Address = operation.Address,
            Length = operation.Count,
            OperationFlags = operation.Flags,
            Tag = operation.Tag,
        };
        _tail++;
        return true;
    }

    /// <summary>Shows the kernel what was prepared. What it does not take now stays for the next time.</summary>
    public void Submit()
    {
        if (_tail == _submitted)
        {
            return;
        }

        // Release: the entries before the tail that shows them.
        Volatile.Write(ref *_submissionTail, _tail);
        if (_hasKernelThread)
        {
            _submitted = _tail;

            // The tail before the look at whether the thread sleeps (io_uring_enter(2), IORING_ENTER_SQ_WAKEUP).
            Interlocked.MemoryBarrier();
            if ((Volatile.Read(ref *_flags) & NeedsWakeUp) != 0)
            {
                _ = Enter(0, EnterWakeUp);
            }

            return;
        }

        nint taken = Enter(_tail - _submitted, 0);
        if (taken > 0)
        {
            _submitted += (uint)taken;
        }
    }

    /// <summary>Takes a completion. False where there is none.</summary>
    /// <param name="tag">Of the operation.</param>
    /// <param name="result">What the system call would have returned; an error number is negative.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryComplete(out ulong tag, out int result)
    {
        uint head = *_completionHead; // this side's own

        // Acquire: the tail before the completions that it shows.
        if (head == Volatile.Read(ref *_completionTail) && !TryFetch(head))
        {
            tag = 0;
            result = 0;
            return false;
        }

        byte* completion = _completions + (head & _completionMask) * CompletionLength;
        tag = *(ulong*)completion;
        result = *(int*)(completion + sizeof(ulong));
        Volatile.Write(ref *_completionHead, head + 1);
        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            _ = LibC.munmap(_entries, (size_t)(ulong)_entriesLength);
            _ = LibC.munmap(_shared, (size_t)(ulong)_sharedLength);
            _ring.Dispose();
        }
    }

    // What the kernel has finished but for a part that has to be done on this thread, or had no room for.
    private bool TryFetch(uint head)
    {
        if ((Volatile.Read(ref *_flags) & (HasTaskWork | HasOverflow)) == 0)
        {
            return false;
        }

        _ = Enter(0, EnterGetEvents);
        return head != Volatile.Read(ref *_completionTail);
    }

    private nint Enter(uint submissions, uint flags) =>
        LibcExtra.Syscall((nint)EnterCall, _ring.Number, (nint)submissions, 0, (nint)flags, 0);

    private static nint Setup(byte* parameters, int depth, uint flags)
    {
        new Span<byte>(parameters, ParametersLength).Clear();
        *(uint*)(parameters + SetupFlagsAt) = flags;
        *(uint*)(parameters + SleepAt) = KernelThreadIdle;
        return LibcExtra.Syscall((nint)SetupCall, depth, (nint)parameters, 0, 0, 0);
    }

    private byte* Map(nuint length, long offset)
    {
        void* start = LibC.mmap(null, (size_t)(ulong)length, LibC.PROT_READ | LibC.PROT_WRITE, LibC.MAP_SHARED, _ring.Number, offset);
        return (nint)start != -1 ? (byte*)start : throw new LinuxException("mmap(io_uring)");
    }

    /// <summary>struct io_uring_sqe.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 64)]
    private struct Entry
    {
        public IoUringOpcode Opcode;
        public byte Flags;
        public ushort Priority;
        public int File;
        public long Offset;
        public ulong Address;
        public uint Length;
        public uint OperationFlags;
        public ulong Tag;
    }
}
