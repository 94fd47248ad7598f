namespace Arrakis.Wire.Fuse;

/// <summary>What the kernel asks of a file system in user space (enum fuse_opcode of linux/fuse.h); those that this program knows.</summary>
public enum FuseOpcode : uint
{
    /// <summary>Finds a name in a folder.</summary>
    Lookup = 1,

    /// <summary>The kernel has forgotten a node; without a reply.</summary>
    Forget = 2,

    /// <summary>Reads a node's attributes.</summary>
    GetAttributes = 3,

    /// <summary>Changes a node's attributes.</summary>
    SetAttributes = 4,

    /// <summary>Makes a special file.</summary>
    MakeNode = 8,

    /// <summary>Makes a folder.</summary>
    MakeFolder = 9,

    /// <summary>Removes a file.</summary>
    Unlink = 10,

    /// <summary>Removes a folder.</summary>
    RemoveFolder = 11,

    /// <summary>Renames.</summary>
    Rename = 12,

    /// <summary>Makes another name of a file.</summary>
    Link = 13,

    /// <summary>Opens a file.</summary>
    Open = 14,

    /// <summary>Reads from an open file.</summary>
    Read = 15,

    /// <summary>Writes to an open file.</summary>
    Write = 16,

    /// <summary>Tells of the file system's size.</summary>
    Statistics = 17,

    /// <summary>The last user of an open file has closed it.</summary>
    Release = 18,

    /// <summary>Makes durable what was written.</summary>
    Sync = 20,

    /// <summary>A user of an open file closes it.</summary>
    Flush = 25,

    /// <summary>The first request: versions and features.</summary>
    Initialize = 26,

    /// <summary>Opens a folder.</summary>
    OpenFolder = 27,

    /// <summary>Lists a folder.</summary>
    ReadFolder = 28,

    /// <summary>Closes a folder.</summary>
    ReleaseFolder = 29,

    /// <summary>Makes a folder durable.</summary>
    SyncFolder = 30,

    /// <summary>Makes a file and opens it.</summary>
    Create = 35,

    /// <summary>Nobody waits for a request any more; without a reply.</summary>
    Interrupt = 36,

    /// <summary>The file system is unmounted.</summary>
    Destroy = 38,

    /// <summary>Several of <see cref="Forget"/>; without a reply.</summary>
    ForgetMany = 42,

    /// <summary>Reserves or zeroes a part of a file.</summary>
    Allocate = 43,

    /// <summary>Renames with flags.</summary>
    RenameWithFlags = 45,
}
