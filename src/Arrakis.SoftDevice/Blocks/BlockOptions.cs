namespace Arrakis.SoftDevice.Blocks;

/// <summary>What block functions are made of.</summary>
/// <param name="File">The backing file, or block device.</param>
/// <param name="BlockSize">Bytes of a block: a power of two, 512 to 65536.</param>
/// <param name="Functions">How many.</param>
/// <param name="Backing">How the file is reached.</param>
/// <param name="HasKernelThread">Whether a thread of the kernel looks for a disk's requests, rather than a system call of the polling thread taking them there.</param>
internal sealed record BlockOptions(string File, int BlockSize, int Functions, BlockBacking Backing = BlockBacking.Auto, bool HasKernelThread = false)
{
    /// <summary>Block functions that a device may have.</summary>
    public const int MaxFunctions = 64;

    /// <summary>The smallest block: a sector.</summary>
    public const int MinBlockSize = 512;

    /// <summary>The largest.</summary>
    public const int MaxBlockSize = 65536;
}

/// <summary>How the backing file is reached.</summary>
internal enum BlockBacking
{
    /// <summary>As memory where its file system is one of memory (tmpfs, hugetlbfs), else as a disk.</summary>
    Auto,

    /// <summary>Mapped: a completed write is in the file, which stands for a medium that keeps it without power.</summary>
    Memory,

    /// <summary>Past the page cache and asynchronously: a completed write may be in the disk's cache.</summary>
    Disk,
}
