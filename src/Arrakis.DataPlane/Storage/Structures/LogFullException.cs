using Arrakis.Contract;

namespace Arrakis;

/// <summary>The log has no room for a record. Nothing of it was written, and the log goes on.</summary>
public sealed class LogFullException : ArrakisException
{
    private const string RemedyText = "Trim the log, or give it a larger area.";

    /// <summary>Makes an exception.</summary>
    public LogFullException()
        : this("The log is full.")
    {
    }

    /// <summary>Makes an exception.</summary>
    public LogFullException(string message)
        : base(ErrorCode.LogFull, message, RemedyText)
    {
    }

    /// <summary>Makes an exception.</summary>
    public LogFullException(string message, Exception? innerException)
        : base(ErrorCode.LogFull, message, RemedyText, innerException)
    {
    }
}
