using Arrakis.Wire;

namespace Arrakis.Samples.UdpEcho;

/// <summary>Which of the two programming interfaces serves.</summary>
internal enum EchoApi
{
    /// <summary>Sockets with async and await.</summary>
    Sockets,

    /// <summary>Packets in their ring buffers, without a copy.</summary>
    Native,
}

/// <summary>What the command line asked for.</summary>
internal sealed record EchoOptions(
    string? Socket,
    string? Device,
    Ipv4Prefix? Address,
    ushort Port,
    EchoApi Api,
    int? Core,
    IdlePolicy Idle,
    TimeSpan? For);
