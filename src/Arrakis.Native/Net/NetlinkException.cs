namespace Arrakis.Native.Net;

/// <summary>A netlink message is cut off, or its lengths do not fit into one another.</summary>
public sealed class NetlinkException : Exception
{
    /// <summary>Makes an exception.</summary>
    public NetlinkException()
        : this("A netlink message makes no sense.")
    {
    }

    /// <summary>Makes an exception.</summary>
    public NetlinkException(string message)
        : base(message)
    {
    }

    /// <summary>Makes an exception.</summary>
    public NetlinkException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}
