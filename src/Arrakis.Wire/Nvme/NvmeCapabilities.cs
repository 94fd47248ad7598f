namespace Arrakis.Wire.Nvme;

/// <summary>What the register CAP says of a controller (NVMe 2.0 §3.1.3.1).</summary>
/// <param name="Value">The register.</param>
public readonly record struct NvmeCapabilities(ulong Value)
{
    /// <summary>MQES: the most entries of an I/O queue, 2 to 65536. A controller that says 1 lies: the field is zero-based and at least 1.</summary>
    public int MaxQueueEntries => (int)(Value & 0xFFFF) + 1;

    /// <summary>CQR: queues have to be physically contiguous, as ours are for the device.</summary>
    public bool NeedsContiguousQueues => (Value >> 16 & 1) != 0;

    /// <summary>TO: how long enabling and disabling may take; the register counts half seconds.</summary>
    public TimeSpan Timeout => TimeSpan.FromMilliseconds(500 * Math.Max(1, (int)(Value >> 24 & 0xFF)));

    /// <summary>DSTRD: bytes from one doorbell to the next: 4 to 131072.</summary>
    public int DoorbellStride => 4 << (int)(Value >> 32 & 0xF);

    /// <summary>CSS: the NVM command set is there.</summary>
    public bool HasNvmCommandSet => (Value >> 37 & 1) != 0;

    /// <summary>MPSMIN: the smallest page in bytes, 4096 at least.</summary>
    public long MinPageSize => 1L << (12 + (int)(Value >> 48 & 0xF));

    /// <summary>MPSMAX: the largest page in bytes.</summary>
    public long MaxPageSize => 1L << (12 + (int)(Value >> 52 & 0xF));
}
