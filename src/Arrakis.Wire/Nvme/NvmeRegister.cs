namespace Arrakis.Wire.Nvme;

/// <summary>Registers of an NVMe controller, in BAR 0, and their bits (NVMe 2.0 §3.1.3; NVMe over PCIe 1.0 §3.1).</summary>
public static class NvmeRegister
{
    /// <summary>CAP, 8 bytes: what the controller can do (§3.1.3.1). See <see cref="NvmeCapabilities"/>.</summary>
    public const long Capabilities = 0x00;

    /// <summary>VS, 4 bytes: the version; major in the upper half (§3.1.3.2).</summary>
    public const long Version = 0x08;

    /// <summary>INTMS, 4 bytes: masks interrupts; not with MSI-X (§3.1.3.3).</summary>
    public const long InterruptMaskSet = 0x0C;

    /// <summary>CC, 4 bytes: configuration (§3.1.3.5).</summary>
    public const long Configuration = 0x14;

    /// <summary>CSTS, 4 bytes: status (§3.1.3.6).</summary>
    public const long Status = 0x1C;

    /// <summary>AQA, 4 bytes: sizes of the admin queues, each less one; submission in the lower half (§3.1.3.8).</summary>
    public const long AdminQueueAttributes = 0x24;

    /// <summary>ASQ, 8 bytes: where the admin submission queue is; page aligned (§3.1.3.9).</summary>
    public const long AdminSubmissionQueue = 0x28;

    /// <summary>ACQ, 8 bytes: where the admin completion queue is; page aligned (§3.1.3.10).</summary>
    public const long AdminCompletionQueue = 0x30;

    /// <summary>The first doorbell: that of the admin submission queue (PCIe 1.0 §3.1.2).</summary>
    public const long Doorbells = 0x1000;

    /// <summary>CC.EN: enabled.</summary>
    public const uint Enable = 1;

    /// <summary>CC.IOSQES: entries of I/O submission queues have 2^6 bytes.</summary>
    public const uint SubmissionEntrySize = 6u << 16;

    /// <summary>CC.IOCQES: entries of I/O completion queues have 2^4 bytes.</summary>
    public const uint CompletionEntrySize = 4u << 20;

    /// <summary>CC.SHN: a normal shutdown is asked for.</summary>
    public const uint NormalShutdown = 1u << 14;

    /// <summary>CC.SHN: its bits.</summary>
    public const uint ShutdownMask = 3u << 14;

    /// <summary>CSTS.RDY: commands are taken.</summary>
    public const uint Ready = 1;

    /// <summary>CSTS.CFS: the controller has failed; only a reset helps.</summary>
    public const uint FatalStatus = 2;

    /// <summary>CSTS.SHST: its bits.</summary>
    public const uint ShutdownStatusMask = 3u << 2;

    /// <summary>CSTS.SHST: the shutdown is complete.</summary>
    public const uint ShutdownComplete = 2u << 2;

    /// <summary>What all registers read as where the controller is gone.</summary>
    public const uint Gone = uint.MaxValue;

    /// <summary>Bytes of a page as this driver sets CC.MPS to 0, and so the unit of PRP entries and queues.</summary>
    public const int PageSize = 4096;

    /// <summary>Where the tail doorbell of a submission queue is (PCIe 1.0 §3.1.2.1).</summary>
    /// <param name="queue">The queue's identifier; 0 is the admin queue.</param>
    /// <param name="stride">Bytes from one doorbell to the next, <see cref="NvmeCapabilities.DoorbellStride"/>.</param>
    public static long SubmissionTail(ushort queue, int stride) => Doorbells + 2L * queue * stride;

    /// <summary>Where the head doorbell of a completion queue is (PCIe 1.0 §3.1.2.2).</summary>
    /// <param name="queue">The queue's identifier; 0 is the admin queue.</param>
    /// <param name="stride">Bytes from one doorbell to the next, <see cref="NvmeCapabilities.DoorbellStride"/>.</param>
    public static long CompletionHead(ushort queue, int stride) => Doorbells + (2L * queue + 1) * stride;
}
