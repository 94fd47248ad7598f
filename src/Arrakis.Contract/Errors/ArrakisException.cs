namespace Arrakis.Contract;

/// <summary>A refusal or failure, with its cause and what to do about it.</summary>
public class ArrakisException : Exception
{
    /// <summary>Makes an exception of an unnamed internal fault.</summary>
    public ArrakisException()
        : this(ErrorCode.Internal, "The operation failed.", "See the daemon's log.")
    {
    }

    /// <summary>Makes an exception of an internal fault.</summary>
    public ArrakisException(string message)
        : this(ErrorCode.Internal, message, "See the daemon's log.")
    {
    }

    /// <summary>Makes an exception of an internal fault.</summary>
    public ArrakisException(string message, Exception? innerException)
        : this(ErrorCode.Internal, message, "See the daemon's log.", innerException)
    {
    }

    /// <summary>Makes an exception.</summary>
    /// <param name="code">The stable name of the fault.</param>
    /// <param name="cause">One sentence: what is wrong.</param>
    /// <param name="remedy">One sentence: what to do.</param>
    /// <param name="innerException">What led to it.</param>
    public ArrakisException(ErrorCode code, string cause, string remedy, Exception? innerException = null)
        : base($"{cause} {remedy}", innerException)
    {
        Code = code;
        Cause = cause;
        Remedy = remedy;
    }

    /// <summary>The stable name of the fault.</summary>
    public ErrorCode Code { get; }

    /// <summary>What is wrong.</summary>
    public string Cause { get; }

    /// <summary>What to do about it.</summary>
    public string Remedy { get; }
}
