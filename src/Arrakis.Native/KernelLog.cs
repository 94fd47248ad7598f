using Tmds.Linux;

namespace Arrakis.Native;

/// <summary>What the kernel logs from now on (/dev/kmsg, Documentation/ABI/testing/dev-kmsg). Readable when there is something.</summary>
public sealed unsafe class KernelLog : IDisposable
{
    /// <summary>Bytes that a record may have.</summary>
    public const int MaxRecordLength = 8192;

    private KernelLog(Descriptor descriptor) => Descriptor = descriptor;

    /// <summary>The open file.</summary>
    public Descriptor Descriptor { get; }

    /// <summary>Opens it at its end.</summary>
    /// <exception cref="LinuxException">It is not there (ENOENT), or not for this user (EPERM).</exception>
    public static KernelLog OpenAtEnd()
    {
        Descriptor descriptor = Descriptor.Open("/dev/kmsg", LibC.O_RDONLY | LibC.O_NONBLOCK);
        if (LibC.lseek(descriptor.Number, 0, LibC.SEEK_END) < 0)
        {
            var error = new LinuxException("lseek(/dev/kmsg)");
            descriptor.Dispose();
            throw error;
        }

        return new KernelLog(descriptor);
    }

    /// <summary>Reads a record, without what precedes its text. Null where there is none at present.</summary>
    /// <exception cref="LinuxException">The log cannot be read any more.</exception>
    public string? TryRead()
    {
        byte* buffer = stackalloc byte[MaxRecordLength];
        while (true)
        {
            long length = LibC.read(Descriptor.Number, buffer, MaxRecordLength);
            if (length >= 0)
            {
                // "priority,sequence,time,flags;text", and lines with details after it.
                var record = new ReadOnlySpan<byte>(buffer, (int)length);
                int start = record.IndexOf((byte)';') + 1;
                int end = record.IndexOf((byte)'\n');
                return System.Text.Encoding.UTF8.GetString(end < start ? record[start..] : record[start..end]);
            }

            int errno = LibC.errno;
            if (errno == LibC.EAGAIN)
            {
                return null;
            }

            // EPIPE: records were overwritten before they were read; the next ones are there.
            if (errno != LibC.EPIPE && errno != LibC.EINTR)
            {
                throw new LinuxException("read(/dev/kmsg)", errno);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Descriptor.Dispose();
}
