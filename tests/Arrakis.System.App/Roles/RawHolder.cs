using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Memory;
using Arrakis.Native.Sockets;
using Arrakis.SystemApp.Conversation;

namespace Arrakis.SystemApp.Roles;

/// <summary>A binding without the library: the grant's bare descriptors and memory.</summary>
internal sealed class RawHolder
{
    private readonly UnixSocket _connection; // Closing it would release the binding.

    private RawHolder(UnixSocket connection, Grant grant, IReadOnlyList<Descriptor> descriptors)
    {
        _connection = connection;
        Grant = grant;
        File = new MemoryFile(descriptors[Grant.MemoryDescriptor], grant.Memory.Length, grant.Memory.PageSize);
        Memory = MemoryMapping.Map(File.Descriptor, 0, grant.Memory.Length, MappingAccess.ReadWrite);
        Doorbells = [.. grant.Queues.Select(queue => new EventFd(descriptors[queue.KickDescriptor]))];
    }

    public Grant Grant { get; }

    public MemoryFile File { get; }

    public MemoryMapping Memory { get; }

    public IReadOnlyList<EventFd> Doorbells { get; }

    /// <summary>Binds; the connection stays open with the process.</summary>
    public static RawHolder Bind(string controlSocket)
    {
        var socket = UnixSocket.Connect(controlSocket, UnixSocketKind.SequencedPacket);
        RawConversation.Ask(socket, new HelloRequest { Id = 1, Version = ControlProtocol.Version }).Message.CloseDescriptors();
        (ReceivedMessage message, ControlReply reply) = RawConversation.Ask(socket, new BindNicRequest { Id = 2 });
        return reply is BindNicReply bound
            ? new RawHolder(socket, bound.Grant, message.Descriptors)
            : throw new InvalidOperationException($"The daemon did not bind: {reply}");
    }

    /// <summary>Is to be called at the end: until then the binding is held.</summary>
    public void Release() => _connection.Dispose();
}
