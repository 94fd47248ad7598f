using Arrakis.Contract;

namespace Arrakis;

/// <summary>A block request that the device did not do. The binding goes on; what a failed write left at its place is not known.</summary>
public sealed class BlockRequestException : ArrakisException
{
    private const string RemedyText = "See what the device says of it (RawStatus), and whether the medium is failing.";

    /// <summary>Makes an exception that names no request.</summary>
    public BlockRequestException()
        : this("A block request failed.")
    {
    }

    /// <summary>Makes an exception that names no request.</summary>
    public BlockRequestException(string message)
        : base(ErrorCode.BlockRequestFailed, message, RemedyText)
    {
    }

    /// <summary>Makes an exception that names no request.</summary>
    public BlockRequestException(string message, Exception? innerException)
        : base(ErrorCode.BlockRequestFailed, message, RemedyText, innerException)
    {
    }

    /// <summary>Makes an exception.</summary>
    /// <param name="operation">What was asked.</param>
    /// <param name="block">The first block, in the area.</param>
    /// <param name="count">How many blocks.</param>
    /// <param name="status">How it ended.</param>
    /// <param name="rawStatus">The device's own word for it: NVMe's status field (type and code), or virtio-blk's status byte.</param>
    public BlockRequestException(BlockOperation operation, long block, long count, BlockStatus status, int rawStatus)
        : base(ErrorCode.BlockRequestFailed, $"{operation} of {count} blocks from {block} on failed: {status} (0x{rawStatus:x}).", RemedyText)
    {
        Operation = operation;
        Block = block;
        BlockCount = count;
        Status = status;
        RawStatus = rawStatus;
    }

    /// <summary>What was asked.</summary>
    public BlockOperation Operation { get; }

    /// <summary>The first block, in the area.</summary>
    public long Block { get; }

    /// <summary>How many blocks.</summary>
    public long BlockCount { get; }

    /// <summary>How it ended.</summary>
    public BlockStatus Status { get; }

    /// <summary>The device's own word for it.</summary>
    public int RawStatus { get; }
}
