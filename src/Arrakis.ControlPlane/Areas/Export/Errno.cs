using Arrakis.Contract;

namespace Arrakis.ControlPlane.Areas.Export;

/// <summary>Error numbers of Linux (errno(3)).</summary>
internal static class Errno
{
    internal const int NotPermitted = 1; // EPERM
    internal const int NoEntry = 2; // ENOENT
    internal const int InputOutput = 5; // EIO
    internal const int BadDescriptor = 9; // EBADF
    internal const int Access = 13; // EACCES
    internal const int Busy = 16; // EBUSY
    internal const int NotAFolder = 20; // ENOTDIR
    internal const int Invalid = 22; // EINVAL
    internal const int TooManyFiles = 23; // ENFILE
    internal const int TooBig = 27; // EFBIG
    internal const int NoSpace = 28; // ENOSPC
    internal const int NoSuchCall = 38; // ENOSYS
    internal const int Protocol = 71; // EPROTO
    internal const int NotSupported = 95; // EOPNOTSUPP
    internal const int Stale = 116; // ESTALE

    internal static int Of(ErrorCode code) => code switch
    {
        ErrorCode.UnknownArea => Stale,
        ErrorCode.AreaInUse => Busy,
        ErrorCode.Unauthorized => Access,
        _ => InputOutput,
    };
}
