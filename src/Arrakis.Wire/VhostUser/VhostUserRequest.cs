namespace Arrakis.Wire.VhostUser;

/// <summary>Front-end requests (vhost-user specification, "Front-end message types").</summary>
public enum VhostUserRequest : uint
{
    /// <summary>No request.</summary>
    None = 0,

    /// <summary>Asks which virtio features the back end has; reply u64.</summary>
    GetFeatures = 1,

    /// <summary>Acknowledges virtio features; u64.</summary>
    SetFeatures = 2,

    /// <summary>Claims the session.</summary>
    SetOwner = 3,

    /// <summary>Deprecated.</summary>
    ResetOwner = 4,

    /// <summary>Gives the memory regions, a descriptor each.</summary>
    SetMemoryTable = 5,

    /// <summary>Dirty-page log.</summary>
    SetLogBase = 6,

    /// <summary>Dirty-page log event.</summary>
    SetLogDescriptor = 7,

    /// <summary>Ring size; state.</summary>
    SetVringSize = 8,

    /// <summary>Ring addresses; address.</summary>
    SetVringAddress = 9,

    /// <summary>First available index to process; state.</summary>
    SetVringBase = 10,

    /// <summary>Stops the ring and asks for the next available index; state, reply state.</summary>
    GetVringBase = 11,

    /// <summary>Doorbell eventfd; u64 with the ring's index.</summary>
    SetVringKick = 12,

    /// <summary>Event eventfd; u64 with the ring's index.</summary>
    SetVringCall = 13,

    /// <summary>Error eventfd; u64 with the ring's index.</summary>
    SetVringError = 14,

    /// <summary>Asks for protocol features; reply u64.</summary>
    GetProtocolFeatures = 15,

    /// <summary>Acknowledges protocol features; u64.</summary>
    SetProtocolFeatures = 16,

    /// <summary>Asks for the number of queues; reply u64.</summary>
    GetQueueCount = 17,

    /// <summary>Enables or disables a ring; state.</summary>
    SetVringEnable = 18,

    /// <summary>Announce after migration.</summary>
    SendRarp = 19,

    /// <summary>MTU; u64.</summary>
    NetSetMtu = 20,

    /// <summary>Back-end request channel; one descriptor.</summary>
    SetBackendRequestDescriptor = 21,

    /// <summary>IOTLB message.</summary>
    IotlbMessage = 22,

    /// <summary>Reads device configuration space.</summary>
    GetConfig = 24,

    /// <summary>Writes device configuration space.</summary>
    SetConfig = 25,

    /// <summary>Asks for the memory that tracks what is in flight.</summary>
    GetInflightDescriptor = 31,

    /// <summary>Gives it back after a reconnect.</summary>
    SetInflightDescriptor = 32,

    /// <summary>Resets the device.</summary>
    ResetDevice = 34,

    /// <summary>Device status byte; u64.</summary>
    SetStatus = 39,

    /// <summary>Asks for the device status byte; reply u64.</summary>
    GetStatus = 40,
}

/// <summary>Protocol features (vhost-user specification, "Protocol features").</summary>
[Flags]
public enum VhostUserProtocolFeatures : ulong
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Several queue pairs.</summary>
    MultiQueue = 1UL << 0,

    /// <summary>The front end may ask for an acknowledgement of each request.</summary>
    ReplyAck = 1UL << 3,

    /// <summary>NET_SET_MTU.</summary>
    NetMtu = 1UL << 4,

    /// <summary>The back end can send requests.</summary>
    BackendRequests = 1UL << 5,

    /// <summary>GET_CONFIG and SET_CONFIG.</summary>
    Config = 1UL << 9,

    /// <summary>RESET_DEVICE.</summary>
    ResetDevice = 1UL << 13,

    /// <summary>GET_STATUS and SET_STATUS.</summary>
    Status = 1UL << 16,
}
