using System.Runtime.InteropServices;
using Tmds.Linux;

namespace Arrakis.Native.Events;

/// <summary>
/// Raises eventfds that an untrusted process holds too. A write(2) would not do: whoever shares the open file can clear
/// O_NONBLOCK and fill the counter, and the writer blocks for ever. The completion of an asynchronous operation
/// (io_submit(2), IOCB_FLAG_RESFD) raises an eventfd inside the kernel, which never blocks. One thread at a time.
/// </summary>
public sealed unsafe class EventRaiser : IDisposable
{
    private const int Depth = 128;
    private const uint RingMagic = 0xA10A_10A1; // AIO_RING_MAGIC

    private readonly Descriptor _sink;
    private readonly Control* _operation;
    private readonly Ring* _ring;

    /// <summary>Makes a queue of asynchronous operations.</summary>
    /// <exception cref="LinuxException">The kernel has no asynchronous operations (ENOSYS), or none left (EAGAIN, /proc/sys/fs/aio-max-nr).</exception>
    public EventRaiser()
    {
        fixed (byte* path = "/dev/null\0"u8)
        {
            int number = LibC.open(path, LibC.O_WRONLY | LibC.O_CLOEXEC);
            LinuxException.ThrowIfNegative(number, "open(/dev/null)");
            _sink = new Descriptor(number);
        }

        nint context = 0;
        nint result = LibcExtra.Syscall((nint)LibcExtra.SysIoSetup, Depth, (nint)(&context), 0, 0, 0);
        if (result < 0)
        {
            var error = new LinuxException("io_setup");
            _sink.Dispose();
            throw error;
        }

        _ring = (Ring*)context;
        _operation = (Control*)NativeMemory.AllocZeroed((nuint)(sizeof(Control) + 1));
        _operation->Opcode = 1; // IOCB_CMD_PWRITE
        _operation->Descriptor = (uint)_sink.Number;
        _operation->Buffer = (ulong)(_operation + 1);
        _operation->Length = 1;
        _operation->Flags = 1; // IOCB_FLAG_RESFD
    }

    /// <summary>Adds one to a counter and wakes its waiters; false where the descriptor is no eventfd.</summary>
    public bool Raise(Descriptor descriptor)
    {
        ArgumentNullException.ThrowIfNull(descriptor);

        // The results are of no interest: the completion ring is emptied where the kernel lets its user do so (struct aio_ring).
        if (_ring->Magic == RingMagic)
        {
            Volatile.Write(ref _ring->Head, Volatile.Read(ref _ring->Tail));
        }
        else
        {
            byte* events = stackalloc byte[Depth * 32];
            long* noWait = stackalloc long[2] { 0, 0 };
            _ = LibcExtra.Syscall((nint)LibcExtra.SysIoGetEvents, (nint)_ring, 0, Depth, (nint)events, (nint)noWait);
        }

        _operation->ResultDescriptor = (uint)descriptor.Number;
        Control* operation = _operation;
        return LibcExtra.Syscall((nint)LibcExtra.SysIoSubmit, (nint)_ring, 1, (nint)(&operation), 0, 0) == 1;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_sink.IsClosed)
        {
            _ = LibcExtra.Syscall((nint)LibcExtra.SysIoDestroy, (nint)_ring, 0, 0, 0, 0);
            NativeMemory.Free(_operation);
            _sink.Dispose();
        }
    }

    /// <summary>struct iocb.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Control
    {
        public ulong Data;
        public uint Key;
        public int ReadWriteFlags;
        public ushort Opcode;
        public short Priority;
        public uint Descriptor;
        public ulong Buffer;
        public ulong Length;
        public long Offset;
        public ulong Reserved;
        public uint Flags;
        public uint ResultDescriptor;
    }

    /// <summary>The start of struct aio_ring, which the context's number is the address of.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Ring
    {
        public uint Id;
        public uint Count;
        public uint Head;
        public uint Tail;
        public uint Magic;
    }
}
