using Tmds.Linux;

namespace Arrakis.Native.Net;

/// <summary>The wire of a TAP interface that came from elsewhere: a frame a read, a frame a write, never blocking.</summary>
/// <remarks>
/// Where the interface was made with IFF_VNET_HDR, a virtio-net header of 12 bytes goes before each frame, and the kernel
/// is told that checksums and cutting may be left to this side (tun_set_offload in Linux).
/// </remarks>
public sealed unsafe class TapWire : IDisposable
{
    private const int SetHeaderLength = 0x4004_54D8; // TUNSETVNETHDRSZ
    private const int SetOffload = 0x4004_54D0; // TUNSETOFFLOAD
    private const int ChecksumAndTcp = 0x01 | 0x02 | 0x04; // TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6
    private const int Datagrams = 0x20 | 0x40; // TUN_F_USO4, TUN_F_USO6, since Linux 6.2
    private const int VirtioHeaderLength = 12;

    /// <summary>Takes the descriptor; it is made non-blocking.</summary>
    public TapWire(Descriptor descriptor)
    {
        ArgumentNullException.ThrowIfNull(descriptor);
        Descriptor = descriptor;
        int flags = LibC.fcntl(descriptor.Number, LibC.F_GETFL);
        LinuxException.ThrowIfNegative(flags, "fcntl(F_GETFL)");
        LinuxException.ThrowIfNegative(LibC.fcntl(descriptor.Number, LibC.F_SETFL, flags | LibC.O_NONBLOCK), "fcntl(F_SETFL)");
        if (!TapInterface.HasHeaders(descriptor))
        {
            return;
        }

        HeaderLength = VirtioHeaderLength;
        int length = VirtioHeaderLength;
        LinuxException.ThrowIfNegative(LibC.ioctl(descriptor.Number, SetHeaderLength, &length), "ioctl(TUNSETVNETHDRSZ)");
        TakesDatagrams = LibC.ioctl(descriptor.Number, SetOffload, ChecksumAndTcp | Datagrams) == 0;
        if (!TakesDatagrams)
        {
            LinuxException.ThrowIfNegative(LibC.ioctl(descriptor.Number, SetOffload, ChecksumAndTcp), "ioctl(TUNSETOFFLOAD)");
        }
    }

    /// <summary>The open wire.</summary>
    public Descriptor Descriptor { get; }

    /// <summary>Bytes of the virtio-net header before each frame; zero where there is none.</summary>
    public int HeaderLength { get; }

    /// <summary>Whether the kernel cuts UDP frames into datagrams, and leaves that to this side.</summary>
    public bool TakesDatagrams { get; }

    /// <summary>Whether a read has found that the interface is no more.</summary>
    public bool IsGone { get; private set; }

    /// <summary>Takes a frame that the kernel has sent; false where there is none.</summary>
    /// <param name="frame">Takes the header, if any, and the frame; a longer frame is cut to this.</param>
    /// <param name="length">Bytes of both.</param>
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
    /// <param name="header"><see cref="HeaderLength"/> bytes.</param>
    /// <param name="frame">The frame.</param>
    public bool TryWrite(ReadOnlySpan<byte> header, ReadOnlySpan<byte> frame)
    {
        fixed (byte* first = header)
        fixed (byte* second = frame)
        {
            iovec* parts = stackalloc iovec[2];
            parts[0] = new iovec { iov_base = first, iov_len = header.Length };
            parts[1] = new iovec { iov_base = second, iov_len = frame.Length };
            return LibcExtra.WriteVector(Descriptor.Number, parts, 2) == header.Length + frame.Length;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Descriptor.Dispose();
}
