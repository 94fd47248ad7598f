namespace Arrakis.Contract;

/// <summary>What went wrong, as a stable name on the wire and in <see cref="ArrakisException.Code"/>.</summary>
public enum ErrorCode
{
    /// <summary>A fault of the control plane itself; its log says more.</summary>
    Internal = 0,

    /// <summary>The message is not valid JSON of the contract.</summary>
    MalformedMessage,

    /// <summary>The message is over <see cref="Control.ControlProtocol.MaxMessageLength"/>.</summary>
    MessageTooLarge,

    /// <summary>The peer speaks a version that this side does not.</summary>
    UnsupportedVersion,

    /// <summary>The request is not allowed in the connection's present state, such as anything before hello.</summary>
    OutOfOrder,

    /// <summary>The request's id was used before on this connection.</summary>
    Replayed,

    /// <summary>The number or kind of descriptors is not what the message needs.</summary>
    WrongDescriptors,

    /// <summary>A field's value makes no sense.</summary>
    InvalidRequest,

    /// <summary>The policy has no rule that allows this.</summary>
    Unauthorized,

    /// <summary>There is no device of that name.</summary>
    UnknownDevice,

    /// <summary>All virtual functions of the device, or all that the policy allows, are taken.</summary>
    NoFreeVirtualFunction,

    /// <summary>More memory than the policy allows, or than the machine has.</summary>
    MemoryExhausted,

    /// <summary>More rate than the policy allows, or than is left of the device's.</summary>
    RateExhausted,

    /// <summary>More queues, or larger ones, than the policy or the device allows.</summary>
    QueuesExhausted,

    /// <summary>Another binding has this MAC address.</summary>
    MacAddressTaken,

    /// <summary>Another binding, or the host's kernel, has this IP address.</summary>
    AddressTaken,

    /// <summary>There is no such binding, or it is not of that generation.</summary>
    UnknownBinding,

    /// <summary>The binding belongs to another process.</summary>
    NotHolder,

    /// <summary>The binding was revoked.</summary>
    BindingRevoked,

    /// <summary>The device is down or did not answer in time.</summary>
    DeviceUnavailable,

    /// <summary>The daemon has as many connections as it takes, of this user or in all.</summary>
    TooManyConnections,

    /// <summary>The control socket is not there or does not answer.</summary>
    DaemonUnavailable,

    /// <summary>A grant does not fit its own descriptors, or asks for what the data plane cannot run.</summary>
    InvalidGrant,

    /// <summary>The device wrote what it must not into a ring.</summary>
    RingCorrupt,

    /// <summary>The kernel itself uses the PCI function, or another process holds it.</summary>
    DeviceInUse,

    /// <summary>The function's IOMMU group has members that belong to others.</summary>
    ForeignGroup,

    /// <summary>No IOMMU stands between the function and memory, and nobody has allowed that.</summary>
    NoIommu,

    /// <summary>The kernel has no VFIO, or not the part that is needed.</summary>
    NoVfio,

    /// <summary>There is no storage area of that name, or none that the process may know of.</summary>
    UnknownArea,

    /// <summary>A storage area of that name is there already.</summary>
    AreaExists,

    /// <summary>The storage area is bound in a way that does not go with the request.</summary>
    AreaInUse,

    /// <summary>No device has that much room left, or the policy allows no more.</summary>
    StorageExhausted,

    /// <summary>The device did not do what a block request asked.</summary>
    BlockRequestFailed,

    /// <summary>What is stored is not what was written there: its checksum, or the place that it says it belongs to, is wrong.</summary>
    DataCorrupt,

    /// <summary>A persistent log has no room for a record.</summary>
    LogFull,

    /// <summary>The physical function's driver does not know a setting of its virtual functions, or refuses the value.</summary>
    SettingRefused,
}
