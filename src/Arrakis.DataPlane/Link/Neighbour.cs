using System.Runtime.CompilerServices;
using Arrakis.DataPlane.Memory;
using Arrakis.Wire;

namespace Arrakis.DataPlane.Link;

/// <summary>What is known of one neighbour, and the frames that wait for its hardware address.</summary>
internal struct Neighbour
{
    /// <summary>Frames that wait at most; the oldest goes when another comes (RFC 1122 §2.3.2.2 asks for at least one).</summary>
    public const int MaxPending = 4;

    /// <summary>The neighbour; zero is a free entry.</summary>
    public Ipv4Address Address;

    /// <summary>Its hardware address, or none yet.</summary>
    public MacAddress Mac;

    /// <summary>When the hardware address is no longer to be used, in nanoseconds.</summary>
    public long Expires;

    /// <summary>When the next request may go out, in nanoseconds.</summary>
    public long NextRequest;

    /// <summary>Requests sent since it last answered.</summary>
    public int Requests;

    /// <summary>Frames that wait.</summary>
    public int PendingCount;

    /// <summary>The first <see cref="PendingCount"/> are set, oldest first.</summary>
    public PendingFrames Pending;

    /// <summary>Whether the hardware address is known and fresh.</summary>
    public readonly bool IsReachable(long now) => Expires > now;

    /// <summary>A frame that waits.</summary>
    public readonly record struct PendingFrame(PacketBuffer Buffer, int Length);

    /// <summary>Storage of the frames.</summary>
    [InlineArray(MaxPending)]
    public struct PendingFrames
    {
        private PendingFrame _first;
    }
}
