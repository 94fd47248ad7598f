namespace Arrakis.UdpLatency.Echo;

/// <summary>What an echo server on a binding is to serve.</summary>
internal sealed record EchoOrder
{
    public required string ControlSocket { get; init; }

    public required string Device { get; init; }

    /// <summary>Address and prefix length.</summary>
    public required string Address { get; init; }

    public required ushort Port { get; init; }

    public required int Core { get; init; }

    /// <summary>Whether it polls on when nothing comes; otherwise it sleeps after a while.</summary>
    public required bool Spin { get; init; }
}

/// <summary>An echo server's answer: it takes datagrams.</summary>
/// <param name="Thread">The serving thread.</param>
/// <param name="Mac">The binding's hardware address.</param>
internal sealed record EchoReady(int Thread, string Mac);

/// <summary>What an echo server tells of itself every second.</summary>
/// <param name="ManagedHeap">Bytes of its managed heap.</param>
internal sealed record EchoHealth(long ManagedHeap);
