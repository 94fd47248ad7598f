using Arrakis.Contract;

namespace Arrakis;

/// <summary>The device wrote what it must not into a ring. The binding is unusable; the process and its other bindings go on.</summary>
public sealed class RingCorruptException : ArrakisException
{
    private const string RemedyText = "Dispose the binding and bind again; if it happens again, the device is faulty.";

    /// <summary>Makes an exception that names no ring.</summary>
    public RingCorruptException()
        : this("A ring is corrupt.")
    {
    }

    /// <summary>Makes an exception that names no ring.</summary>
    public RingCorruptException(string message)
        : base(ErrorCode.RingCorrupt, message, RemedyText)
    {
    }

    /// <summary>Makes an exception that names no ring.</summary>
    public RingCorruptException(string message, Exception? innerException)
        : base(ErrorCode.RingCorrupt, message, RemedyText, innerException)
    {
    }

    /// <summary>Makes an exception.</summary>
    /// <param name="ring">Which ring of a NIC; null of a block queue.</param>
    /// <param name="reason">What the device wrote.</param>
    public RingCorruptException(QueueDirection? ring, string reason)
        : base(ErrorCode.RingCorrupt, $"The {(ring switch { QueueDirection.Receive => "receive ring", QueueDirection.Transmit => "transmit ring", _ => "block queue" })} is corrupt: {reason}.", RemedyText)
    {
        Ring = ring;
        Reason = reason;
    }

    /// <summary>Which ring of a NIC; null of a block queue.</summary>
    public QueueDirection? Ring { get; }

    /// <summary>What the device wrote.</summary>
    public string Reason { get; } = "";

    internal static RingCorruptException BadId(QueueDirection? ring, uint id, int queueSize) =>
        new(ring, id >= (uint)queueSize ? $"used id {id} in a ring of {queueSize} descriptors" : $"used id {id} is not with the device");
}
