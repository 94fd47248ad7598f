using System.Buffers.Binary;
using Arrakis.Wire.Frames;

namespace Arrakis.SystemTests.Support;

/// <summary>Many flows from a binding of this process to an echo, each a socket of its own that numbers its datagrams.</summary>
internal sealed class Flows : IAsyncDisposable
{
    // Of all flows together no more than a ring holds: what finds no buffer is lost, as on any network.
    private const int Window = 3;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly ArrakisClient _client;
    private readonly NicBinding _nic;
    private readonly Reactor _reactor;
    private readonly List<UdpSocket> _sockets = [];

    private Flows(ArrakisClient client, NicBinding nic)
    {
        _client = client;
        _nic = nic;
        _reactor = Reactor.Start(nic);
    }

    /// <summary>Source ports of the flows.</summary>
    public IEnumerable<UdpEndPoint> Sources => _sockets.Select(static socket => socket.LocalEndPoint);

    public static async Task<Flows> OpenAsync(string controlSocket, int count)
    {
        ArrakisClient client = await ArrakisClient.ConnectAsync(controlSocket, cancellationToken: TestContext.Current.CancellationToken);
        var flows = new Flows(client, await client.BindNicAsync(new NicRequest(), TestContext.Current.CancellationToken));
        for (int i = 0; i < count; i++)
        {
            flows._sockets.Add(new UdpSocket(flows._reactor));
        }

        return flows;
    }

    /// <summary>Sends so many datagrams in each flow; all must come back, in each flow in their order.</summary>
    public async Task EchoAsync(UdpEndPoint echo, int datagrams)
    {
        // The first alone: as any host, a binding keeps only a few while it asks for its peer's hardware address.
        await _reactor.RunAsync(() => EchoAsync(_sockets[0], echo, datagrams)).WaitAsync(s_patience, TestContext.Current.CancellationToken);
        await _reactor.RunAsync(() => Task.WhenAll(_sockets.Skip(1).Select(socket => EchoAsync(socket, echo, datagrams)))).WaitAsync(s_patience, TestContext.Current.CancellationToken);
    }

    /// <summary>The queue to which a device with receive side scaling brings a flow, told without the code of the data plane.</summary>
    public static int QueueOf(UdpEndPoint source, UdpEndPoint destination, int pairs)
    {
        byte[] flow = new byte[12];
        BinaryPrimitives.WriteUInt32BigEndian(flow, source.Address.Value);
        BinaryPrimitives.WriteUInt32BigEndian(flow.AsSpan(4), destination.Address.Value);
        BinaryPrimitives.WriteUInt16BigEndian(flow.AsSpan(8), source.Port);
        BinaryPrimitives.WriteUInt16BigEndian(flow.AsSpan(10), destination.Port);
        return (int)(ToeplitzHash.Compute(flow) % 128 % (uint)pairs);
    }

    public async ValueTask DisposeAsync()
    {
        _reactor.Dispose();
        await _nic.DisposeAsync();
        await _client.DisposeAsync();
    }

    private static async Task EchoAsync(UdpSocket socket, UdpEndPoint echo, int datagrams)
    {
        byte[] buffer = new byte[64];
        int sent = 0;
        for (int back = 0; back < datagrams; back++)
        {
            while (sent < datagrams && sent - back < (back == 0 ? 1 : Window))
            {
                BinaryPrimitives.WriteInt32LittleEndian(buffer, sent++);
                _ = await socket.SendToAsync(buffer, echo);
            }

            byte[] answer = new byte[64];
            UdpReceiveFromResult received = await socket.ReceiveFromAsync(answer);
            Assert.Equal((64, echo, back), (received.ReceivedBytes, received.RemoteEndPoint, BinaryPrimitives.ReadInt32LittleEndian(answer)));
        }
    }
}
