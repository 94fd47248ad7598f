namespace Arrakis.Native.IoUring;

/// <summary>What an operation does (linux/io_uring.h, enum io_uring_op).</summary>
public enum IoUringOpcode : byte
{
    /// <summary>IORING_OP_READV: preadv2(2).</summary>
    ReadVector = 1,

    /// <summary>IORING_OP_WRITEV: pwritev2(2).</summary>
    WriteVector = 2,

    /// <summary>IORING_OP_FSYNC.</summary>
    Sync = 3,

    /// <summary>IORING_OP_FALLOCATE.</summary>
    Allocate = 17,
}

/// <summary>An operation on the queue's file.</summary>
/// <param name="Opcode">What to do.</param>
/// <param name="Tag">Comes back with the completion.</param>
/// <param name="Offset">Where in the file.</param>
/// <param name="Address">Of a read or write the iovecs, which have to stay until the completion; of an allocation the bytes of the range.</param>
/// <param name="Count">Of a read or write the number of iovecs; of an allocation its mode.</param>
/// <param name="Flags">Of a read or write RWF_*; of a sync <see cref="DataOnly"/>.</param>
public readonly record struct IoUringOperation(IoUringOpcode Opcode, ulong Tag, long Offset, ulong Address, uint Count, uint Flags)
{
    /// <summary>RWF_DSYNC: a write is durable when it completes.</summary>
    public const uint Durable = 2;

    /// <summary>IORING_FSYNC_DATASYNC: as fdatasync(2).</summary>
    public const uint DataOnly = 1;

    /// <summary>FALLOC_FL_KEEP_SIZE with FALLOC_FL_PUNCH_HOLE: gives a range back, which then reads as zeros.</summary>
    public const uint PunchHole = 0x3;

    /// <summary>FALLOC_FL_KEEP_SIZE with FALLOC_FL_ZERO_RANGE: zeroes a range, which keeps its room.</summary>
    public const uint ZeroRange = 0x11;

    /// <summary>Makes written data durable.</summary>
    public static IoUringOperation Flush(ulong tag) => new(IoUringOpcode.Sync, tag, 0, 0, 0, DataOnly);
}
