using Arrakis.Wire.Rings;

namespace Arrakis.SystemApp.Conversation;

/// <summary>Order of <see cref="Roles.RingTransfer"/>.</summary>
public sealed record RingTransferOrder
{
    /// <summary>The daemon's.</summary>
    public required string ControlSocket { get; init; }

    /// <summary>The device's name.</summary>
    public required string Device { get; init; }

    /// <summary>The address and network to ask for.</summary>
    public required string Address { get; init; }

    /// <summary>The hardware address to ask for.</summary>
    public required string Mac { get; init; }

    /// <summary>The rings to ask for.</summary>
    public required RingFormat Rings { get; init; }

    /// <summary>The core of the polling thread.</summary>
    public required int Core { get; init; }

    /// <summary>Where it receives.</summary>
    public required ushort Port { get; init; }

    /// <summary>The kernel's address.</summary>
    public required string Peer { get; init; }
}

/// <summary>Order of <see cref="Roles.KernelTransfer"/>: the transfer protocol over the kernel's UDP.</summary>
public sealed record KernelTransferOrder(bool Sends, string Address, ushort Port, uint Transfer, ulong Seed, long Length);

/// <summary>Order of <see cref="Roles.TcpStream"/>: one stream over the kernel's TCP.</summary>
public sealed record TcpStreamOrder(bool Listens, bool Sends, string Address, ushort Port, ulong Seed, long Length);

/// <summary>What <see cref="Roles.RingTransfer"/> is told on its standard input, one at a time.</summary>
public sealed record TransferCommand(bool Sends, ushort PeerPort, uint Transfer, ulong Seed, long Length);
