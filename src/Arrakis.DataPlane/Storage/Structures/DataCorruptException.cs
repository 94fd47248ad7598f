using Arrakis.Contract;

namespace Arrakis;

/// <summary>A block does not hold what was written there: it was damaged, lost, or another's write went there.</summary>
public sealed class DataCorruptException : ArrakisException
{
    private const string RemedyText = "Do not write to the area; see whether the medium is failing, and restore from a copy.";

    /// <summary>Makes an exception that names no block.</summary>
    public DataCorruptException()
        : this("What is stored is damaged.")
    {
    }

    /// <summary>Makes an exception that names no block.</summary>
    public DataCorruptException(string message)
        : base(ErrorCode.DataCorrupt, message, RemedyText) => Reason = message;

    /// <summary>Makes an exception that names no block.</summary>
    public DataCorruptException(string message, Exception? innerException)
        : base(ErrorCode.DataCorrupt, message, RemedyText, innerException) => Reason = message;

    /// <summary>Makes an exception.</summary>
    /// <param name="block">The block's address in the area.</param>
    /// <param name="reason">What is wrong with it; no full stop.</param>
    public DataCorruptException(long block, string reason)
        : base(ErrorCode.DataCorrupt, $"Block {block} does not hold what was written there: {reason}.", RemedyText)
    {
        Block = block;
        Reason = reason;
    }

    /// <summary>The block's address in the area.</summary>
    public long Block { get; }

    /// <summary>What is wrong with it.</summary>
    public string Reason { get; }
}
