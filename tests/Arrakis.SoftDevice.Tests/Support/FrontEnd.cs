using System.Buffers.Binary;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Sockets;
using Arrakis.Wire.Rings;
using Arrakis.Wire.VhostUser;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Tests.Support;

/// <summary>A small vhost-user front end: sends what it is told, right or wrong, and can set up a virtual function as a driver would.</summary>
internal sealed class FrontEnd(UnixSocket socket) : IDisposable
{
    public const VirtioFeatures Features = VirtioFeatures.Version1 | VirtioFeatures.VhostUserProtocolFeatures;

    /// <summary>All that the device offers.</summary>
    public const VirtioFeatures OfferedFeatures = Features
        | VirtioFeatures.RingPacked | VirtioFeatures.InOrder | VirtioFeatures.RingEventIndex | VirtioFeatures.RingIndirectDescriptors
        | VirtioFeatures.NetMac | VirtioFeatures.NetStatus | VirtioFeatures.NetMtu | VirtioFeatures.NetMultiQueue | VirtioFeatures.NetMergeableReceiveBuffers
        | VirtioFeatures.NetChecksum | VirtioFeatures.NetHostTso4 | VirtioFeatures.NetHostTso6 | VirtioFeatures.NetHostUso
        | VirtioFeatures.NetGuestChecksum | VirtioFeatures.NetGuestTso4 | VirtioFeatures.NetGuestTso6 | VirtioFeatures.NetGuestUso4 | VirtioFeatures.NetGuestUso6;

    public const VhostUserProtocolFeatures OfferedProtocolFeatures = VhostUserProtocolFeatures.MultiQueue | VhostUserProtocolFeatures.ReplyAck
        | VhostUserProtocolFeatures.NetMtu | VhostUserProtocolFeatures.Config | VhostUserProtocolFeatures.Status;

    private const int RingSize = 256;
    private const int BufferSize = 2048;

    public UnixSocket Socket => socket;

    public QueueMemory Memory { get; private set; } = null!;

    public DriverRing Receive { get; private set; } = null!;

    public DriverRing Transmit { get; private set; } = null!;

    public EventFd[] Kicks { get; } = [new(), new()];

    public EventFd Call { get; } = new();

    public void Send(VhostUserRequest request, ReadOnlySpan<byte> payload, params Descriptor[] descriptors) =>
        Send((uint)request, VhostUserHeader.Version, payload, descriptors);

    public void Send(uint request, uint flags, ReadOnlySpan<byte> payload, params Descriptor[] descriptors)
    {
        byte[] message = new byte[VhostUserHeader.Length + payload.Length];
        new VhostUserHeader((VhostUserRequest)request, flags, (uint)payload.Length).Write(message);
        payload.CopyTo(message.AsSpan(VhostUserHeader.Length));
        Assert.Equal(message.Length, socket.TrySend(message, descriptors));
    }

    public void Send(VhostUserRequest request, ulong number, params Descriptor[] descriptors) => Send(request, BitConverter.GetBytes(number), descriptors);

    public void SendState(VhostUserRequest request, uint index, uint value)
    {
        byte[] payload = new byte[VringState.Length];
        new VringState(index, value).Write(payload);
        Send(request, payload);
    }

    public byte[] ReceiveReply(VhostUserRequest request)
    {
        byte[] header = ReceiveExactly(VhostUserHeader.Length);
        Assert.True(VhostUserHeader.TryRead(header, out VhostUserHeader parsed));
        Assert.True(parsed.IsReply);
        Assert.Equal(request, parsed.Request);
        return ReceiveExactly((int)parsed.PayloadLength);
    }

    public ulong Ask(VhostUserRequest request)
    {
        Send(request, []);
        return BinaryPrimitives.ReadUInt64LittleEndian(ReceiveReply(request));
    }

    public uint StopRing(uint index)
    {
        SendState(VhostUserRequest.GetVringBase, index, 0);
        Assert.True(VringState.TryRead(ReceiveReply(VhostUserRequest.GetVringBase), out VringState state));
        Assert.Equal(index, state.Index);
        return state.Value;
    }

    /// <summary>Whether the device has closed the session; waits for it.</summary>
    public bool IsClosed()
    {
        try
        {
            return Blocking.Receive(socket, new byte[1]).Length == 0;
        }
        catch (LinuxException)
        {
            return true;
        }
    }

    /// <summary>The whole handshake; both rings run afterwards, and the receive ring has buffers.</summary>
    public void Start(int receiveBuffers = RingSize, bool polls = true)
    {
        Negotiate();
        SetMemory();
        for (uint index = 0; index < 2; index++)
        {
            SetRing(index, index == 0 ? Receive : Transmit, 0);
        }

        if (polls)
        {
            Receive.AvailableFlags = Transmit.AvailableFlags = SplitFormat.AvailableNoInterrupt;
        }

        for (int i = 0; i < receiveBuffers; i++)
        {
            Assert.True(Receive.TryOffer());
        }

        Barrier();
    }

    /// <summary>The same driver in a new session: the rings go on from their used indices.</summary>
    public FrontEnd ConnectAgain(UnixSocket connection)
    {
        socket.Dispose();
        var again = new FrontEnd(connection) { Memory = Memory, Receive = Receive, Transmit = Transmit };
        again.Negotiate();
        again.SendTable();
        again.SetRing(0, Receive, Receive.UsedIndex);
        again.SetRing(1, Transmit, Transmit.UsedIndex);
        again.Barrier();
        return again;
    }

    public void Negotiate()
    {
        Send(VhostUserRequest.SetOwner, []);
        Assert.Equal((ulong)OfferedFeatures, Ask(VhostUserRequest.GetFeatures));
        Assert.Equal((ulong)OfferedProtocolFeatures, Ask(VhostUserRequest.GetProtocolFeatures));
        Send(VhostUserRequest.SetProtocolFeatures, (ulong)(VhostUserProtocolFeatures.ReplyAck | VhostUserProtocolFeatures.Status));
        Send(VhostUserRequest.SetFeatures, (ulong)Features);
    }

    public void SetMemory()
    {
        MakeMemory();
        SendTable();
    }

    public void SendTable()
    {
        byte[] table = new byte[VhostMemoryRegion.TableHeaderLength + VhostMemoryRegion.Length];
        _ = VhostMemoryRegion.WriteTable(table, [new VhostMemoryRegion(QueueMemory.IovaBase, (ulong)Memory.Length, QueueMemory.FrontEndBase, 0)]);
        Send(VhostUserRequest.SetMemoryTable, table, Memory.File.Descriptor);
    }

    public void MakeMemory()
    {
        long second = RingLayout.At(RingFormat.Split, 0, RingSize).End;
        long buffers = RingLayout.At(RingFormat.Split, second, RingSize).End + 4095 & ~4095L;
        Memory = new QueueMemory(buffers + 2 * RingSize * BufferSize);
        Receive = new DriverRing(Memory, 0, RingSize, BufferSize, buffers);
        Transmit = new DriverRing(Memory, second, RingSize, BufferSize, buffers + RingSize * BufferSize);
    }

    public void SetRing(uint index, DriverRing ring, uint start)
    {
        SendState(VhostUserRequest.SetVringSize, index, (uint)ring.Size);
        SendState(VhostUserRequest.SetVringBase, index, start);
        Send(VhostUserRequest.SetVringAddress, Addresses(index, ring));
        Send(VhostUserRequest.SetVringCall, index, Call.Descriptor);
        Send(VhostUserRequest.SetVringKick, index, Kicks[index % 2].Descriptor);
        SendState(VhostUserRequest.SetVringEnable, index, 1);
    }

    public static byte[] Addresses(uint index, DriverRing ring)
    {
        byte[] payload = new byte[VringAddress.Length];
        new VringAddress(
            index,
            0,
            QueueMemory.FrontEndBase + (ulong)ring.Layout.DescriptorArea,
            QueueMemory.FrontEndBase + (ulong)ring.Layout.DeviceArea,
            QueueMemory.FrontEndBase + (ulong)ring.Layout.DriverArea,
            0).Write(payload);
        return payload;
    }

    /// <summary>Returns when the device has handled everything sent so far.</summary>
    public void Barrier() => _ = Ask(VhostUserRequest.GetFeatures);

    public void SendFrame(ReadOnlySpan<byte> frame)
    {
        byte[] data = [.. new byte[VirtioNetHeader.Length], .. frame];
        Blocking.Until(() => Reclaim() && Transmit.TrySend(data), "The transmit ring stays full.");
        Ring();
    }

    /// <summary>The next frame received; its buffer goes back into the ring.</summary>
    public byte[] ReceiveFrame()
    {
        byte[]? frame = null;
        Blocking.Until(() => TryReceiveFrame(out frame), "No frame was received.");
        return frame!;
    }

    public bool TryReceiveFrame(out byte[] frame)
    {
        if (!Receive.TryTake(out byte[] data))
        {
            frame = [];
            return false;
        }

        frame = data[VirtioNetHeader.Length..];
        Assert.True(Receive.TryOffer());
        return true;
    }

    /// <summary>Rings the doorbell where the device asks for it, as a driver does (virtio 1.2 §2.7.13.4).</summary>
    public void Ring()
    {
        Interlocked.MemoryBarrier();
        if ((Transmit.UsedFlags & SplitFormat.UsedNoNotify) == 0)
        {
            Kicks[1].Signal();
        }
    }

    public bool Reclaim()
    {
        while (Transmit.TryTake(out _))
        {
        }

        return true;
    }

    public void Dispose()
    {
        socket.Dispose();
        Memory?.Dispose();
        Kicks[0].Dispose();
        Kicks[1].Dispose();
        Call.Dispose();
    }

    private byte[] ReceiveExactly(int length)
    {
        byte[] bytes = new byte[length];
        int at = 0;
        while (at < length)
        {
            int received = Blocking.Receive(socket, bytes.AsSpan(at)).Length;
            Assert.NotEqual(0, received);
            at += received;
        }

        return bytes;
    }
}
