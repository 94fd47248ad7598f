using Arrakis.Contract;

namespace Arrakis.Ctl;

/// <summary>What the process ends with; documented in --help and docs/operations.md.</summary>
internal enum ExitCode
{
    /// <summary>Done.</summary>
    Ok = 0,

    /// <summary>A fault of arrakisctl or the daemon, or the two differ in version.</summary>
    Internal = 1,

    /// <summary>The command line, or a value in it, makes no sense.</summary>
    Usage = 2,

    /// <summary>The policy does not allow it.</summary>
    Refused = 3,

    /// <summary>There is no such binding, device or storage area.</summary>
    NotFound = 4,

    /// <summary>The daemon or the device does not answer, or takes no more.</summary>
    Unavailable = 5,

    /// <summary>A test ran, but had no reply or a corrupt one.</summary>
    TestFailed = 6,

    /// <summary>The machine lacks something: software bindings do not work, or not the hardware that is there.</summary>
    MachineNotReady = 7,

    /// <summary>Ended by Ctrl-C or SIGTERM.</summary>
    Interrupted = 130,
}

/// <summary>Which exit code an error of the control plane has.</summary>
internal static class ExitCodes
{
    internal const string Help = """
        Exit codes:
          0    done
          1    internal fault, or daemon and arrakisctl differ in version
          2    usage: the command line, or a value in it, makes no sense
          3    refused: the policy does not allow it
          4    not found: there is no such binding, device or storage area
          5    unavailable: the daemon or the device does not answer, or takes no more
          6    test failed: no reply came, or a corrupt one
          7    doctor found a problem: software bindings do not work, or not the hardware that is there
          130  interrupted
        """;

    internal static ExitCode Of(ErrorCode code) => code switch
    {
        ErrorCode.InvalidRequest or ErrorCode.AreaExists => ExitCode.Usage,
        ErrorCode.Unauthorized or ErrorCode.NotHolder => ExitCode.Refused,
        ErrorCode.UnknownBinding or ErrorCode.UnknownDevice or ErrorCode.UnknownArea or ErrorCode.BindingRevoked => ExitCode.NotFound,
        ErrorCode.DaemonUnavailable or ErrorCode.DeviceUnavailable or ErrorCode.TooManyConnections
            or ErrorCode.DeviceInUse or ErrorCode.ForeignGroup or ErrorCode.NoIommu or ErrorCode.NoVfio or ErrorCode.SettingRefused
            or ErrorCode.AreaInUse or ErrorCode.StorageExhausted => ExitCode.Unavailable,
        _ => ExitCode.Internal,
    };
}
