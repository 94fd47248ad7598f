namespace Arrakis.Wire.Rings;

/// <summary>How driver and device share a ring.</summary>
public enum RingFormat
{
    /// <summary>Split virtqueue: a descriptor table, an available and a used ring (virtio 1.2 §2.7).</summary>
    Split,

    /// <summary>Packed virtqueue: one ring that both sides write, and two event suppression structures (virtio 1.2 §2.8).</summary>
    Packed,

    /// <summary>
    /// Advanced descriptors of the Intel 82576 and its virtual functions: one ring that both sides write, and a tail register
    /// (82576 datasheet §7.1.5, §7.2.2). The device decides for it; it cannot be asked for.
    /// </summary>
    Igb,

    /// <summary>
    /// An NVMe queue pair: a submission queue of 64-byte commands, a completion queue of 16-byte entries with a phase tag, and a doorbell
    /// register each (NVMe 2.0 §3.3). The device decides for it; it cannot be asked for.
    /// </summary>
    Nvme,
}
