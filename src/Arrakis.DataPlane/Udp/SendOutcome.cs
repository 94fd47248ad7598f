namespace Arrakis.DataPlane.Udp;

/// <summary>What became of a datagram, or of several, that were to be sent.</summary>
internal enum SendOutcome
{
    /// <summary>Posted, or waiting for the neighbour's hardware address.</summary>
    Sent,

    /// <summary>The ring or the pool has no room now.</summary>
    NoRoom,

    /// <summary>There is no way to the destination.</summary>
    NoRoute,

    /// <summary>The destination is a broadcast address, and broadcasting was not allowed.</summary>
    BroadcastRefused,

    /// <summary>The payload does not fit the MTU, or the segments together not the largest datagram.</summary>
    TooLarge,

    /// <summary>The destination port is zero.</summary>
    PortInvalid,

    /// <summary>More segments than may be sent at once.</summary>
    TooManySegments,
}
