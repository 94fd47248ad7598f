namespace Arrakis.UdpLatency.Kernel;

/// <summary>What a process is to serve.</summary>
internal sealed record ServerOrder(string Address, ushort Port, int Core, SocketUse Use);

/// <summary>What a client process is to send and measure.</summary>
internal sealed record ClientOrder
{
    public required string Source { get; init; }

    public required ushort SourcePort { get; init; }

    public required string Target { get; init; }

    public required ushort TargetPort { get; init; }

    public required int Core { get; init; }

    public required SocketUse Use { get; init; }

    public required int InFlight { get; init; }

    public required int PayloadLength { get; init; }

    public required int WarmupMilliseconds { get; init; }

    public required int DurationMilliseconds { get; init; }

    /// <summary>The server's thread, whose system calls are counted.</summary>
    public required int ServingThread { get; init; }
}

/// <summary>How kernel sockets are used.</summary>
internal enum SocketUse
{
    /// <summary>Each call waits.</summary>
    Blocking,

    /// <summary>Each call returns at once, over and over.</summary>
    BusyPoll,

    /// <summary>As <see cref="BusyPoll"/>, with many datagrams in a call.</summary>
    Batch,
}
