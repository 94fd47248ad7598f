using System.ComponentModel;
using System.Runtime.InteropServices;
using Tmds.Linux;

namespace Arrakis.Native;

/// <summary>A system call failed.</summary>
public sealed class LinuxException : Win32Exception
{
    /// <summary>Makes an exception of the last error.</summary>
    public LinuxException()
        : this("system call")
    {
    }

    /// <summary>Makes an exception of the last error.</summary>
    public LinuxException(string call)
        : this(call, LibC.errno)
    {
    }

    /// <summary>Makes an exception with a cause.</summary>
    public LinuxException(string message, Exception? innerException)
        : base(message, innerException)
    {
        Call = message;
    }

    /// <summary>Makes an exception.</summary>
    /// <param name="call">The call and what it was about.</param>
    /// <param name="errno">The error number.</param>
    public LinuxException(string call, int errno)
        : base(errno, $"{call}: {Marshal.GetPInvokeErrorMessage(errno)} (errno {errno})")
    {
        Call = call;
    }

    /// <summary>The call and what it was about.</summary>
    public string Call { get; } = "";

    /// <summary>The error number.</summary>
    public int Errno => NativeErrorCode;

    internal static void ThrowIfNegative(long result, string call)
    {
        if (result < 0)
        {
            throw new LinuxException(call);
        }
    }
}
