using System.Text;
using Tmds.Linux;

namespace Arrakis.Native.Net;

/// <summary>A kernel network interface whose wire is a descriptor (Documentation/networking/tuntap.rst), non-blocking: frames with a virtio-net header before each (<see cref="TapWire"/>).</summary>
public sealed unsafe class TapInterface : IDisposable
{
    private const int RequestLength = 40; // struct ifreq
    private const int NameLength = 16; // IFNAMSIZ
    private const int TunSetInterface = 0x4004_54CA; // TUNSETIFF
    private const int TunGetInterface = unchecked((int)0x8004_54D2); // TUNGETIFF
    private const short VirtioHeader = 0x4000; // IFF_VNET_HDR
    private const short Tap = 0x1002 | VirtioHeader; // IFF_TAP | IFF_NO_PI: no other header
    private const int GetFlags = 0x8913; // SIOCGIFFLAGS
    private const int SetFlags = 0x8914; // SIOCSIFFLAGS
    private const short Up = 1; // IFF_UP

    private TapInterface(Descriptor descriptor, string name)
    {
        Descriptor = descriptor;
        Name = name;
    }

    /// <summary>The wire. The interface lives as long as any copy of this descriptor.</summary>
    public Descriptor Descriptor { get; }

    /// <summary>The interface's name.</summary>
    public string Name { get; }

    /// <summary>Makes an interface and sets it up.</summary>
    /// <exception cref="LinuxException">Not permitted (EPERM), or the name is taken (EBUSY).</exception>
    public static TapInterface Create(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (Encoding.ASCII.GetByteCount(name) >= NameLength)
        {
            throw new ArgumentException($"'{name}' is longer than the kernel's 15 characters.", nameof(name));
        }

        int number;
        fixed (byte* path = "/dev/net/tun\0"u8)
        {
            number = LibC.open(path, LibC.O_RDWR | LibC.O_NONBLOCK | LibC.O_CLOEXEC);
        }

        LinuxException.ThrowIfNegative(number, "open(/dev/net/tun)");
        var descriptor = new Descriptor(number);
        try
        {
            byte* request = stackalloc byte[RequestLength];
            WriteName(request, name);
            *(short*)(request + NameLength) = Tap;
            LinuxException.ThrowIfNegative(LibC.ioctl(number, TunSetInterface, request), $"ioctl(TUNSETIFF, {name})");
            SetUp(name);
            return new TapInterface(descriptor, name);
        }
        catch
        {
            descriptor.Dispose();
            throw;
        }
    }

    /// <summary>The name of the interface that a wire is of, in whatever network namespace that is; null where there is none any more.</summary>
    public static string? NameOf(Descriptor wire)
    {
        ArgumentNullException.ThrowIfNull(wire);
        byte* request = stackalloc byte[RequestLength];
        new Span<byte>(request, RequestLength).Clear();
        return LibC.ioctl(wire.Number, TunGetInterface, request) < 0
            ? null
            : Encoding.ASCII.GetString(new ReadOnlySpan<byte>(request, NameLength)).TrimEnd('\0');
    }

    /// <summary>Whether a virtio-net header goes before each frame on a wire.</summary>
    internal static bool HasHeaders(Descriptor wire)
    {
        byte* request = stackalloc byte[RequestLength];
        new Span<byte>(request, RequestLength).Clear();
        return LibC.ioctl(wire.Number, TunGetInterface, request) >= 0 && (*(short*)(request + NameLength) & VirtioHeader) != 0;
    }

    /// <inheritdoc/>
    public void Dispose() => Descriptor.Dispose();

    /// <summary>Sets an interface of this thread's network namespace up.</summary>
    internal static void SetUp(string name)
    {
        int number = LibC.socket(LibC.AF_INET, LibC.SOCK_DGRAM | LibC.SOCK_CLOEXEC, 0);
        LinuxException.ThrowIfNegative(number, "socket");
        using var socket = new Descriptor(number);
        byte* request = stackalloc byte[RequestLength];
        WriteName(request, name);
        LinuxException.ThrowIfNegative(LibC.ioctl(number, GetFlags, request), $"ioctl(SIOCGIFFLAGS, {name})");
        *(short*)(request + NameLength) |= Up;
        LinuxException.ThrowIfNegative(LibC.ioctl(number, SetFlags, request), $"ioctl(SIOCSIFFLAGS, {name})");
    }

    private static void WriteName(byte* request, string name)
    {
        new Span<byte>(request, RequestLength).Clear();
        Encoding.ASCII.GetBytes(name, new Span<byte>(request, NameLength - 1));
    }
}
