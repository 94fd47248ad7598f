using Arrakis.Contract;

namespace Arrakis;

/// <summary>A grant that does not fit its own descriptors, or that this data plane cannot run.</summary>
public sealed class InvalidGrantException : ArrakisException
{
    private const string RemedyText = "The daemon and this library are of different versions, or the daemon is faulty; use matching ones.";

    /// <summary>Makes an exception that gives no cause.</summary>
    public InvalidGrantException()
        : this("The grant is invalid.")
    {
    }

    /// <summary>Makes an exception.</summary>
    /// <param name="message">One sentence: what is wrong.</param>
    public InvalidGrantException(string message)
        : base(ErrorCode.InvalidGrant, message, RemedyText)
    {
    }

    /// <summary>Makes an exception.</summary>
    public InvalidGrantException(string message, Exception? innerException)
        : base(ErrorCode.InvalidGrant, message, RemedyText, innerException)
    {
    }
}
