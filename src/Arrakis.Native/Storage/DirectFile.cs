using System.Runtime.InteropServices;
using System.Text;
using Tmds.Linux;

namespace Arrakis.Native.Storage;

/// <summary>
/// A file or block device that is read and written past the kernel's page cache (open(2), O_DIRECT), at any offset: what others write to it
/// in the same way is seen at once. Where its file system has no direct access (tmpfs before Linux 6.6), through the cache, which all share.
/// For any thread; a write that is not of whole <see cref="Alignment"/>s reads what is around it first, and no other write comes between.
/// </summary>
public sealed unsafe class DirectFile : IDisposable
{
    /// <summary>Direct transfers are of whole multiples of it, in bytes; no disk has larger blocks than a page.</summary>
    public const int Alignment = 4096;

    private const int BufferLength = 256 * 1024;
    private const int Direct = 0x4000; // O_DIRECT on x86-64
    private const int ZeroRange = 16 | 1; // FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE

    private readonly Lock _writing = new();
    private readonly Descriptor _file;
    private readonly string _path;

    private DirectFile(Descriptor file, string path)
    {
        _file = file;
        _path = path;
    }

    /// <summary>Opens a file for reading and writing.</summary>
    /// <exception cref="IOException">It is not there, or may not be opened so.</exception>
    public static DirectFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        fixed (byte* name = Encoding.UTF8.GetBytes(path + "\0"))
        {
            int number = LibC.open(name, LibC.O_RDWR | LibC.O_CLOEXEC | Direct);
            if (number < 0 && LibC.errno == LibC.EINVAL)
            {
                number = LibC.open(name, LibC.O_RDWR | LibC.O_CLOEXEC);
            }

            return number >= 0 ? new DirectFile(new Descriptor(number), path) : throw Failed("open");
        }

        IOException Failed(string call)
        {
            var error = new LinuxException($"{call}({path})");
            return new IOException(error.Message, error);
        }
    }

    /// <summary>Reads all of the buffer.</summary>
    /// <exception cref="IOException">The file is shorter, or its device did not do it.</exception>
    public void Read(Span<byte> buffer, long offset)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        using var aligned = new AlignedBuffer();
        while (!buffer.IsEmpty)
        {
            (long start, int skip, int part) = Window(offset, buffer.Length);
            Transfer(aligned.Pointer, start, Round(skip + part), skip + part, isWrite: false);
            aligned.Span.Slice(skip, part).CopyTo(buffer);
            buffer = buffer[part..];
            offset += part;
        }
    }

    /// <summary>Writes all bytes.</summary>
    /// <exception cref="IOException">The device did not do it.</exception>
    public void Write(ReadOnlySpan<byte> bytes, long offset)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        using var aligned = new AlignedBuffer();
        lock (_writing)
        {
            while (!bytes.IsEmpty)
            {
                (long start, int skip, int part) = Window(offset, bytes.Length);
                int length = Round(skip + part);
                if (skip != 0 || part != length)
                {
                    Transfer(aligned.Pointer, start, length, skip + part, isWrite: false);
                }

                bytes[..part].CopyTo(aligned.Span[skip..]);
                Transfer(aligned.Pointer, start, length, length, isWrite: true);
                bytes = bytes[part..];
                offset += part;
            }
        }
    }

    /// <summary>Makes a part of it read as zeros; what is reserved for it on the disk stays so.</summary>
    /// <exception cref="IOException">The device did not do it.</exception>
    public void Zero(long offset, long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (length <= 0)
        {
            return;
        }

        lock (_writing)
        {
            if (LibcExtra.AllocateRange(_file.Number, ZeroRange, offset, length) == 0)
            {
                return;
            }
        }

        byte[] zeros = new byte[BufferLength]; // The file system does not know how.
        for (long at = 0; at < length; at += zeros.Length)
        {
            Write(zeros.AsSpan(0, (int)Math.Min(zeros.Length, length - at)), offset + at);
        }
    }

    /// <summary>Makes durable what was written (fdatasync(2)).</summary>
    /// <exception cref="IOException">The device did not do it.</exception>
    public void Flush()
    {
        if (LibC.fdatasync(_file.Number) < 0)
        {
            throw Failed("fdatasync");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private static int Round(int length) => (length + Alignment - 1) & -Alignment;

    // The next part of a transfer: where its aligned window begins, how much of that comes before it, and its length.
    private static (long Start, int Skip, int Part) Window(long offset, int length)
    {
        int skip = (int)(offset & (Alignment - 1));
        return (offset - skip, skip, Math.Min(length, BufferLength - skip));
    }

    private void Transfer(byte* buffer, long offset, int length, int needed, bool isWrite)
    {
        for (int done = 0; done < needed;)
        {
            nint moved = isWrite
                ? LibcExtra.WriteAt(_file.Number, buffer + done, (nuint)(length - done), offset + done)
                : LibcExtra.ReadAt(_file.Number, buffer + done, (nuint)(length - done), offset + done);
            if (moved < 0 && LibC.errno != LibC.EINTR)
            {
                throw Failed(isWrite ? "pwrite" : "pread");
            }

            if (moved == 0)
            {
                throw new IOException($"{_path} ends before byte {offset + needed}.");
            }

            done += (int)Math.Max(0, moved);
        }
    }

    private IOException Failed(string call)
    {
        var error = new LinuxException($"{call}({_path})");
        return new IOException(error.Message, error);
    }

    private readonly ref struct AlignedBuffer
    {
        public AlignedBuffer() => Pointer = (byte*)NativeMemory.AlignedAlloc(BufferLength, Alignment);

        public byte* Pointer { get; }

        public Span<byte> Span => new(Pointer, BufferLength);

        public void Dispose() => NativeMemory.AlignedFree(Pointer);
    }
}
