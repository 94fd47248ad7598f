using System.Runtime.InteropServices;

namespace Arrakis.Native.Bpf;

/// <summary>The kernel's verifier refuses a program.</summary>
public sealed class BpfVerifierException : Exception
{
    private const int ShownLines = 6;

    /// <summary>Makes an exception without a log.</summary>
    public BpfVerifierException()
        : this("program", 0, "")
    {
    }

    /// <summary>Makes an exception without a log.</summary>
    public BpfVerifierException(string message)
        : base(message)
    {
    }

    /// <summary>Makes an exception without a log.</summary>
    public BpfVerifierException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Makes an exception.</summary>
    /// <param name="program">The program's name.</param>
    /// <param name="errno">The error number.</param>
    /// <param name="log">What the verifier wrote.</param>
    public BpfVerifierException(string program, int errno, string log)
        : base($"The kernel's verifier refuses the program '{program}': {Marshal.GetPInvokeErrorMessage(errno)} (errno {errno}). {End(log)}")
    {
        Errno = errno;
        Log = log;
    }

    /// <summary>The error number: EINVAL or EACCES of what is not safe, E2BIG of what is too complex.</summary>
    public int Errno { get; }

    /// <summary>What the verifier wrote, an instruction a line; of a very long log the first or the last part, as the kernel gives it.</summary>
    public string Log { get; } = "";

    private static string End(string log)
    {
        string[] lines = log.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return lines.Length == 0
            ? "It wrote no log: the program's length or kind is refused before any instruction is looked at."
            : $"Its log ends with: {string.Join(" / ", lines.TakeLast(ShownLines))}";
    }
}
