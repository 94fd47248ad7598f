using Tmds.Linux;

namespace Arrakis.Native.Net;

/// <summary>The wire of a TAP interface that came from elsewhere: a frame a read, a frame a write, never blocking.</summary>
public sealed unsafe class TapWire : IDisposable
{
    /// <summary>Takes the descriptor; it is made non-blocking.</summary>
    public TapWire(Descriptor descriptor)
    {
        ArgumentNullException.ThrowIfNull(descriptor);
        Descriptor = descriptor;
        int flags = LibC.fcntl(descriptor.Number, LibC.F_GETFL);
        LinuxException.ThrowIfNegative(flags, "fcntl(F_GETFL)");
        LinuxException.ThrowIfNegative(LibC.fcntl(descriptor.Number, LibC.F_SETFL, flags | LibC.O_NONBLOCK), "fcntl(F_SETFL)");
    }

    /// <summary>The open wire.</summary>
    public Descriptor Descriptor { get; }

    /// <summary>Whether a read has found that the interface is no more.</summary>
    public bool IsGone { get; private set; }

    /// <summary>Takes a frame that the kernel has sent; false where there is none.</summary>
    /// <param name="frame">A longer frame is cut to this.</param>
    /// <param name="length">Bytes of the frame.</param>
    public bool TryRead(Span<byte> frame, out int length)
    {
        fixed (byte* buffer = frame)
        {
            long read = LibC.read(Descriptor.Number, buffer, frame.Length);
            length = (int)Math.Max(read, 0);
            IsGone = read < 0 && LibC.errno is var error && error != LibC.EAGAIN && error != LibC.EINTR;
            return read > 0;
        }
    }

    /// <summary>Gives the kernel a frame; false where it does not take it (interface down, or no memory).</summary>
    public bool TryWrite(ReadOnlySpan<byte> frame)
    {
        fixed (byte* buffer = frame)
        {
            return LibC.write(Descriptor.Number, buffer, frame.Length) == frame.Length;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Descriptor.Dispose();
}
