using Arrakis.TestBed.Machine;
using Arrakis.TestBed.Processes;
using Arrakis.UdpLatency.Processes;
using Arrakis.UdpLatency.Report;

namespace Arrakis.UdpLatency.Kernel;

/// <summary>UDP echo by kernel sockets over a veth pair between two network namespaces: what Arrakis is compared with.</summary>
internal sealed class KernelBaseline
{
    private const string ServerAddress = "10.97.0.1";
    private const string ClientAddress = "10.97.0.2";
    private const ushort ServerPort = 7;
    private const ushort ClientPort = 40007;

    private readonly NetworkNamespace _server;
    private readonly NetworkNamespace _client;
    private readonly MeasurementPlan _plan;

    private KernelBaseline(NetworkNamespace server, NetworkNamespace client, MeasurementPlan plan)
    {
        _server = server;
        _client = client;
        _plan = plan;
    }

    /// <summary>Makes the namespaces and joins them.</summary>
    public static async Task<KernelBaseline> CreateAsync(MeasurementPlan plan, Teardown teardown, CancellationToken cancellation)
    {
        NetworkNamespace server = await NetworkNamespace.CreateAsync("server", teardown, cancellation);
        NetworkNamespace client = await NetworkNamespace.CreateAsync("client", teardown, cancellation);
        await NetworkNamespace.JoinAsync(server, $"{ServerAddress}/24", client, $"{ClientAddress}/24", cancellation);
        return new KernelBaseline(server, client, plan);
    }

    /// <summary>Measures one kind of sockets.</summary>
    public async Task<LatencyRow> MeasureAsync(SocketUse use, int inFlight, CancellationToken cancellation)
    {
        var serverOrder = new ServerOrder(ServerAddress, ServerPort, _plan.ServerCore, use);
        await using ChildProcess server = Role.Start(Roles.KernelServer, serverOrder, RoleJson.Default.ServerOrder, _server.Path);
        ServingThread serving = await server.AnswerAsync(RoleJson.Default.ServingThread, MeasurementPlan.StartTimeout, cancellation);
        var clientOrder = new ClientOrder
        {
            Source = ClientAddress,
            SourcePort = ClientPort,
            Target = ServerAddress,
            TargetPort = ServerPort,
            Core = _plan.ClientCore,
            Use = use,
            InFlight = inFlight,
            PayloadLength = _plan.PayloadLength,
            WarmupMilliseconds = _plan.WarmupMilliseconds,
            DurationMilliseconds = _plan.DurationMilliseconds,
            ServingThread = serving.Id,
        };
        await using ChildProcess client = Role.Start(Roles.KernelClient, clientOrder, RoleJson.Default.ClientOrder, _client.Path);
        Measurement measured = await client.AnswerAsync(RoleJson.Default.Measurement, _plan.RunTimeout, cancellation);
        return use switch
        {
            SocketUse.Batch => LatencyRow.From(Paths.KernelBatch, Apis.SocketsBatch, inFlight, measured),
            SocketUse.BusyPoll => LatencyRow.From(Paths.KernelBusyPoll, Apis.SocketsBusyPoll, inFlight, measured),
            _ => LatencyRow.From(Paths.KernelBlocking, Apis.SocketsBlocking, inFlight, measured),
        };
    }
}
