namespace Arrakis.Wire.Nvme;

/// <summary>Opcodes of commands (NVMe 2.0 §5 and §7, NVM Command Set 1.0 §3.2), and what goes into their fields.</summary>
public static class NvmeOpcode
{
    /// <summary>I/O: makes completed writes durable (§7.1).</summary>
    public const byte Flush = 0x00;

    /// <summary>I/O: writes blocks (NVM §3.2.6).</summary>
    public const byte Write = 0x01;

    /// <summary>I/O: reads blocks (NVM §3.2.4).</summary>
    public const byte Read = 0x02;

    /// <summary>I/O: makes blocks read as zeros (NVM §3.2.8).</summary>
    public const byte WriteZeroes = 0x08;

    /// <summary>I/O: dataset management, of which deallocation is used (NVM §3.2.3).</summary>
    public const byte DatasetManagement = 0x09;

    /// <summary>Admin: deletes an I/O submission queue (§5.7).</summary>
    public const byte DeleteSubmissionQueue = 0x00;

    /// <summary>Admin: makes an I/O submission queue (§5.5).</summary>
    public const byte CreateSubmissionQueue = 0x01;

    /// <summary>Admin: deletes an I/O completion queue (§5.6).</summary>
    public const byte DeleteCompletionQueue = 0x04;

    /// <summary>Admin: makes an I/O completion queue (§5.4).</summary>
    public const byte CreateCompletionQueue = 0x05;

    /// <summary>Admin: describes the controller or a namespace (§5.17).</summary>
    public const byte Identify = 0x06;

    /// <summary>Admin: ends a command (§5.1).</summary>
    public const byte Abort = 0x08;

    /// <summary>Admin: sets a feature (§5.27).</summary>
    public const byte SetFeatures = 0x09;

    /// <summary>Admin: reads a feature (§5.15).</summary>
    public const byte GetFeatures = 0x0A;

    /// <summary>Admin: gives resources to secondary controllers (§5.28).</summary>
    public const byte VirtualizationManagement = 0x1C;

    /// <summary>Identify's CNS: a namespace (§5.17.2; NVM §4.1.5.1).</summary>
    public const uint IdentifyNamespace = 0x00;

    /// <summary>Identify's CNS: the controller (§5.17.2.1).</summary>
    public const uint IdentifyController = 0x01;

    /// <summary>Identify's CNS: identifiers of active namespaces (§5.17.2.2).</summary>
    public const uint IdentifyActiveNamespaces = 0x02;

    /// <summary>Identify's CNS: what a primary controller has to give away.</summary>
    public const uint IdentifyPrimaryCapabilities = 0x14;

    /// <summary>Identify's CNS: the secondary controllers, and what each has.</summary>
    public const uint IdentifySecondaryControllers = 0x15;

    /// <summary>Feature: the volatile write cache (§5.27.1.4).</summary>
    public const byte VolatileWriteCache = 0x06;

    /// <summary>Feature: how many I/O queues (§5.27.1.5).</summary>
    public const byte NumberOfQueues = 0x07;

    /// <summary>Of reads and writes, dword 12: forced unit access (NVM §3.2.6).</summary>
    public const uint ForceUnitAccess = 1u << 30;

    /// <summary>Of write zeroes, dword 12: the blocks may be deallocated (NVM §3.2.8).</summary>
    public const uint Deallocate = 1u << 25;

    /// <summary>Of dataset management, dword 11: deallocate (NVM §3.2.3).</summary>
    public const uint DeallocateRanges = 1u << 2;

    /// <summary>Of dword 0: data is described by an SGL descriptor in the place of the PRP entries (§3.3.3.1, PSDT 01b).</summary>
    public const uint UsesSgl = 1u << 14;

    /// <summary>The most blocks of a read, write or write zeroes: the field has 16 bits and is zero-based.</summary>
    public const uint MaxBlocks = 65536;
}
