
namespace Arrakis.UdpEchoServer;

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

    /// <summary>Whether it serves by the native interface; otherwise by <see cref="UdpSocket"/>.</summary>
    public required bool IsNative { get; init; }

    /// <summary>What other threads of its process do meanwhile.</summary>
    public NoiseKind Noise { get; init; }

    /// <summary>What it asks of the collector.</summary>
    public CollectorMode Mode { get; init; }
}

/// <summary>An echo server's answer: it takes datagrams.</summary>
/// <param name="Thread">The serving thread.</param>
/// <param name="Mac">The binding's hardware address.</param>
internal sealed record EchoReady(int Thread, string Mac);

/// <summary>What an echo server tells of itself now and then.</summary>
/// <param name="ManagedHeap">Bytes of its managed heap.</param>
/// <param name="Allocated">Bytes that it has allocated so far.</param>
/// <param name="Collections">Collections so far.</param>
/// <param name="PausedMilliseconds">Time for which the runtime had stopped its threads so far.</param>
/// <param name="UpSeconds">When it tells this.</param>
/// <param name="Collector">Its collector and latency mode.</param>
internal sealed record EchoHealth(long ManagedHeap, long Allocated, long Collections, double PausedMilliseconds, double UpSeconds, string Collector);
