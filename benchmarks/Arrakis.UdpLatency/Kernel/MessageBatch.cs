using System.Runtime.InteropServices;

namespace Arrakis.UdpLatency.Kernel;

/// <summary>
/// Many datagrams in one system call: recvmmsg(2) and sendmmsg(2), which .NET's sockets do not offer; a program gets at
/// them by P/Invoke. Buffers, addresses and headers are made once and stay where they are.
/// </summary>
internal sealed partial class MessageBatch
{
    private const int BufferLength = 2048;
    private const int NameLength = 16; // sizeof(struct sockaddr_in)
    private const int DontWait = 0x40; // MSG_DONTWAIT

    private readonly byte[] _buffers;
    private readonly byte[] _names;
    private readonly Vector[] _vectors;
    private readonly Message[] _messages;

    /// <summary>Makes room for so many datagrams.</summary>
    /// <param name="capacity">Datagrams.</param>
    /// <param name="withNames">Whether peers' addresses are kept and replied to; otherwise the socket is connected.</param>
    public MessageBatch(int capacity, bool withNames)
    {
        _buffers = GC.AllocateArray<byte>(capacity * BufferLength, pinned: true);
        _names = GC.AllocateArray<byte>(capacity * NameLength, pinned: true);
        _vectors = GC.AllocateArray<Vector>(capacity, pinned: true);
        _messages = GC.AllocateArray<Message>(capacity, pinned: true);
        for (int i = 0; i < capacity; i++)
        {
            _vectors[i].Address = Marshal.UnsafeAddrOfPinnedArrayElement(_buffers, i * BufferLength);
            _messages[i].Name = withNames ? Marshal.UnsafeAddrOfPinnedArrayElement(_names, i * NameLength) : 0;
            _messages[i].Vectors = Marshal.UnsafeAddrOfPinnedArrayElement(_vectors, i);
            _messages[i].VectorCount = 1;
        }

        HasNames = withNames;
    }

    private bool HasNames { get; }

    /// <summary>Takes what has come, at once; returns how many datagrams.</summary>
    public int Receive(int socket)
    {
        for (int i = 0; i < _messages.Length; i++)
        {
            _vectors[i].Length = BufferLength;
            _messages[i].NameLength = HasNames ? NameLength : 0;
        }

        return Math.Max(0, ReceiveMessages(socket, ref _messages[0], (uint)_messages.Length, DontWait, 0));
    }

    /// <summary>A datagram that was received.</summary>
    public ReadOnlySpan<byte> this[int index] => _buffers.AsSpan(index * BufferLength, (int)_messages[index].Length);

    /// <summary>Makes a datagram what is to be sent.</summary>
    public void Set(int index, ReadOnlySpan<byte> payload)
    {
        payload.CopyTo(_buffers.AsSpan(index * BufferLength));
        _vectors[index].Length = (nuint)payload.Length;
        _messages[index].NameLength = 0;
    }

    /// <summary>Makes a received datagram what is to be sent, to where it came from.</summary>
    public void Reply(int index) => _vectors[index].Length = _messages[index].Length;

    /// <summary>Sends the first so many datagrams. What the kernel does not take is lost, as on a wire.</summary>
    public void Send(int socket, int count)
    {
        for (int sent = 0; sent < count;)
        {
            int taken = SendMessages(socket, ref _messages[sent], (uint)(count - sent), 0);
            if (taken <= 0)
            {
                return;
            }

            sent += taken;
        }
    }

    [LibraryImport("libc", EntryPoint = "recvmmsg")]
    private static partial int ReceiveMessages(int socket, ref Message messages, uint count, int flags, nint timeout);

    [LibraryImport("libc", EntryPoint = "sendmmsg")]
    private static partial int SendMessages(int socket, ref Message messages, uint count, int flags);

    /// <summary>struct iovec.</summary>
    private struct Vector
    {
        public nint Address;
        public nuint Length;
    }

    /// <summary>struct mmsghdr of 64-bit Linux.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 64)]
    private struct Message
    {
        [FieldOffset(0)]
        public nint Name;

        [FieldOffset(8)]
        public int NameLength;

        [FieldOffset(16)]
        public nint Vectors;

        [FieldOffset(24)]
        public nuint VectorCount;

        [FieldOffset(56)]
        public uint Length;
    }
}
