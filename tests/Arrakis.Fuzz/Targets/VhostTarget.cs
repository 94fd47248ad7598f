using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Memory;
using Arrakis.Native.Sockets;
using Arrakis.SoftDevice.Polling;
using Arrakis.SoftDevice.Vhost;
using Arrakis.Wire.Rings;
using Arrakis.Wire.VhostUser;
using Arrakis.Wire.Virtio;

namespace Arrakis.Fuzz.Targets;

/// <summary>A whole vhost-user session of the software device, its polling thread included, against a hostile front end.</summary>
/// <remarks>The input is a stream of messages, each with a byte before it that says which descriptors travel with it.</remarks>
internal sealed class VhostTarget : FuzzTarget, IDisposable
{
    private const VirtioFeatures Everything = VirtioFeatures.Version1 | VirtioFeatures.VhostUserProtocolFeatures
        | VirtioFeatures.RingPacked | VirtioFeatures.InOrder | VirtioFeatures.RingEventIndex | VirtioFeatures.RingIndirectDescriptors
        | VirtioFeatures.NetMultiQueue | VirtioFeatures.NetMergeableReceiveBuffers
        | VirtioFeatures.NetChecksum | VirtioFeatures.NetHostTso4 | VirtioFeatures.NetHostUso | VirtioFeatures.NetGuestChecksum | VirtioFeatures.NetGuestTso4;

    private readonly DeviceCore _core = new(1, Clock.Machine);
    private readonly PollingLoop _loop;
    private readonly MemoryFile _memory = MemoryFile.Create("fuzz", 64 * 1024, PagePreference.BaseOnly);
    private readonly EventFd _event = new();

    public VhostTarget()
    {
        _loop = new PollingLoop(_core, null, SoftDevice.Polling.IdlePolicy.Adaptive);
        _loop.Start();
    }

    public override string Name => "vhost-user";

    public override IReadOnlyList<byte[]> Corpus { get; } = [Handshake(RingFormat.Split), Handshake(RingFormat.Packed)];

    public void Dispose()
    {
        _loop.Dispose();
        _core.Dispose();
        _event.Dispose();
        _memory.Dispose();
    }

    public override void Run(ReadOnlySpan<byte> input)
    {
        (UnixSocket frontEnd, UnixSocket backEnd) = UnixSocket.Pair(UnixSocketKind.Stream);
        using (frontEnd)
        using (var session = new VhostSession(backEnd, new NetworkFunction(_core.Functions[0], _loop), _loop, 256))
        {
            var reader = new InputReader(input);
            byte[] replies = new byte[1024];
            while (!reader.IsEmpty)
            {
                int kinds = reader.Byte();
                Descriptor[] descriptors = [.. Enumerable.Repeat(_memory.Descriptor, kinds & 3), .. Enumerable.Repeat(_event.Descriptor, kinds >> 2 & 3)];
                ReadOnlySpan<byte> header = reader.Bytes(VhostUserHeader.Length);
                int payload = header.Length == VhostUserHeader.Length ? (int)(BitConverter.ToUInt32(header[8..]) % 513) : 0;
                if (header.IsEmpty || frontEnd.TrySend(header, descriptors) < 0 || (payload > 0 && !SendPayload(frontEnd, reader.Bytes(payload))))
                {
                    break;
                }

                if (!session.TryProgress(out string reason) || !session.TryProgress(out reason))
                {
                    Promise(reason.Length > 0, "a session that ends says why");
                    break;
                }

                while (frontEnd.TryReceive(replies) is { Length: > 0 })
                {
                    // What the front end does with replies is its own affair.
                }
            }
        }

        Promise(!_core.Functions[0].IsLinkUp, "a session that ended leaves no ring behind");
    }

    private static bool SendPayload(UnixSocket socket, ReadOnlySpan<byte> payload) => payload.IsEmpty || socket.TrySend(payload) == payload.Length;

    private static byte[] Handshake(RingFormat format)
    {
        const ulong Base = 0x1_0000_0000;
        List<byte> stream = [];
        Add(stream, 0, VhostUserRequest.GetFeatures, []);
        Add(stream, 0, VhostUserRequest.SetFeatures, BitConverter.GetBytes((ulong)(Everything & ~(format == RingFormat.Split ? VirtioFeatures.RingPacked : 0))));
        Add(stream, 0, VhostUserRequest.GetProtocolFeatures, []);
        Add(stream, 0, VhostUserRequest.SetProtocolFeatures, BitConverter.GetBytes((ulong)(VhostUserProtocolFeatures.ReplyAck | VhostUserProtocolFeatures.NetMtu | VhostUserProtocolFeatures.Config)));
        Add(stream, 0, VhostUserRequest.NetSetMtu, BitConverter.GetBytes(1280UL));
        Add(stream, 0, VhostUserRequest.GetConfig, [0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        Add(stream, 0, VhostUserRequest.SetOwner, []);
        byte[] table = new byte[VhostMemoryRegion.TableHeaderLength + VhostMemoryRegion.Length];
        VhostMemoryRegion.WriteTable(table, [new VhostMemoryRegion(Base, 65536, Base, 0)]);
        Add(stream, 1, VhostUserRequest.SetMemoryTable, table);
        for (uint ring = 0; ring < 4; ring++)
        {
            RingLayout layout = RingLayout.At(format, ring * 16384, 64);
            byte[] state = new byte[VringState.Length];
            new VringState(ring, 64).Write(state);
            Add(stream, 0, VhostUserRequest.SetVringSize, [.. state]);
            new VringState(ring, format == RingFormat.Packed ? PackedFormat.WrapBit : 0u).Write(state);
            Add(stream, 0, VhostUserRequest.SetVringBase, [.. state]);
            byte[] address = new byte[VringAddress.Length];
            new VringAddress(ring, 0, Base + (ulong)layout.DescriptorArea, Base + (ulong)layout.DeviceArea, Base + (ulong)layout.DriverArea, 0).Write(address);
            Add(stream, 0, VhostUserRequest.SetVringAddress, address);
            Add(stream, 4, VhostUserRequest.SetVringCall, BitConverter.GetBytes((ulong)ring));
            Add(stream, 4, VhostUserRequest.SetVringKick, BitConverter.GetBytes((ulong)ring));
            new VringState(ring, 1).Write(state);
            Add(stream, 0, VhostUserRequest.SetVringEnable, [.. state]);
        }

        byte[] first = new byte[VringState.Length];
        new VringState(0, 0).Write(first);
        Add(stream, 0, VhostUserRequest.GetVringBase, first);
        return [.. stream];
    }

    private static void Add(List<byte> stream, byte descriptors, VhostUserRequest request, byte[] payload)
    {
        byte[] header = new byte[VhostUserHeader.Length];
        new VhostUserHeader(request, VhostUserHeader.Version | VhostUserHeader.NeedReplyFlag, (uint)payload.Length).Write(header);
        stream.Add(descriptors);
        stream.AddRange(header);
        stream.AddRange(payload);
    }
}
