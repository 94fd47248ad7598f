using System.Buffers.Binary;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Memory;
using Arrakis.Native.Sockets;
using Arrakis.SystemApp.Conversation;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Processes;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.SystemTests.Support;

/// <summary>A storage binding without the library: it asks the device for whatever blocks it likes.</summary>
internal sealed class RawBlockQueue : IDisposable
{
    private const ushort Next = 1;
    private const ushort DeviceWrites = 2;
    private const int EntryLength = 16;

    private readonly UnixSocket _connection; // Closing it releases the binding.
    private readonly IReadOnlyList<Descriptor> _descriptors;
    private readonly MemoryMapping _memory;
    private readonly EventFd _doorbell;
    private ushort _made;

    private RawBlockQueue(UnixSocket connection, StorageGrant grant, IReadOnlyList<Descriptor> descriptors)
    {
        _connection = connection;
        _descriptors = descriptors;
        Grant = grant;
        _memory = MemoryMapping.Map(descriptors[BindingGrant.MemoryDescriptor], 0, grant.Memory.Length, MappingAccess.ReadWrite);
        _doorbell = new EventFd(descriptors[grant.Queues[0].KickDescriptor]);
    }

    internal StorageGrant Grant { get; }

    /// <summary>Binds as a user.</summary>
    internal static RawBlockQueue Bind(DaemonProcess daemon, uint uid, BindStorageRequest request)
    {
        UnixSocket socket = OtherUser.Run(uid, () => UnixSocket.Connect(daemon.ControlSocket, UnixSocketKind.SequencedPacket));
        RawConversation.Ask(socket, new HelloRequest { Id = 1, Version = ControlProtocol.Version }).Message.CloseDescriptors();
        (ReceivedMessage message, ControlReply reply) = RawConversation.Ask(socket, request with { Id = 2 });
        return new RawBlockQueue(socket, Assert.IsType<BindStorageReply>(reply).Grant, message.Descriptors);
    }

    /// <summary>Has the device do one request of one block in the first buffer, and returns its word for how that went.</summary>
    internal async Task<VirtioBlockStatus> RunAsync(VirtioBlockType type, ulong sector)
    {
        BlockQueueGrant queue = Grant.Queues[0];
        var layout = new BlockQueueLayout(queue.Ring, queue.CommandArea, BlockQueueLayout.MaxMaxTransferLength);
        byte[] header = new byte[VirtioBlockRequest.HeaderLength];
        new VirtioBlockRequest(type, sector).Write(header);
        Store(layout.RequestOf(0), header);
        Store(layout.StatusOf(0), [0xFF]);
        bool reads = type == VirtioBlockType.Read;
        Describe(0, layout.RequestOf(0), VirtioBlockRequest.HeaderLength, Next, 1);
        Describe(1, Grant.Memory.BufferOffset, (uint)Grant.BlockSize, (ushort)(Next | (reads ? DeviceWrites : 0)), 2);
        Describe(2, layout.StatusOf(0), VirtioBlockRequest.StatusLength, DeviceWrites, 0);
        _made++;
        _memory.Store(queue.Ring.DriverArea, (uint)_made << 16); // Flags of zero, and the index; every entry of the ring says descriptor 0.
        _doorbell.Signal();
        long start = TimeProvider.System.GetTimestamp();
        while ((ushort)(_memory.LoadUInt32(queue.Ring.DeviceArea) >> 16) != _made)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < DaemonProcess.Patience, "The device does not answer.");
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }

        long status = layout.StatusOf(0);
        return (VirtioBlockStatus)(byte)(_memory.LoadUInt32(status & ~3L) >> (int)(status & 3) * 8);
    }

    /// <summary>Fills the first buffer.</summary>
    internal void Fill(uint word)
    {
        for (long at = Grant.Memory.BufferOffset; at < Grant.Memory.BufferOffset + Grant.BlockSize; at += sizeof(uint))
        {
            _memory.Store(at, word);
        }
    }

    /// <summary>The first word of the first buffer.</summary>
    internal uint First => _memory.LoadUInt32(Grant.Memory.BufferOffset);

    public void Dispose()
    {
        _memory.Dispose();
        foreach (Descriptor descriptor in _descriptors)
        {
            descriptor.Dispose();
        }

        _connection.Dispose();
    }

    private void Describe(int index, long offset, uint length, ushort flags, ushort next)
    {
        byte[] entry = new byte[EntryLength];
        BinaryPrimitives.WriteUInt64LittleEndian(entry, Grant.Memory.IovaBase + (ulong)offset);
        BinaryPrimitives.WriteUInt32LittleEndian(entry.AsSpan(8), length);
        BinaryPrimitives.WriteUInt16LittleEndian(entry.AsSpan(12), flags);
        BinaryPrimitives.WriteUInt16LittleEndian(entry.AsSpan(14), next);
        Store(Grant.Queues[0].Ring.DescriptorArea + index * EntryLength, entry);
    }

    private void Store(long offset, ReadOnlySpan<byte> bytes)
    {
        for (int i = 0; i < bytes.Length; i += sizeof(uint))
        {
            _memory.Store((offset & ~3L) + i, bytes.Length - i >= sizeof(uint) ? BinaryPrimitives.ReadUInt32LittleEndian(bytes[i..]) : uint.MaxValue);
        }
    }
}
