using System.Buffers.Binary;
using Arrakis.ControlPlane.Devices.Vfio;

namespace Arrakis.ControlPlane.Devices.VirtioPci;

/// <summary>The structures that a virtio function names in its configuration space (virtio 1.2 §4.1.4).</summary>
internal enum VirtioStructure : byte
{
    /// <summary>VIRTIO_PCI_CAP_COMMON_CFG.</summary>
    Common = 1,

    /// <summary>VIRTIO_PCI_CAP_NOTIFY_CFG.</summary>
    Notify = 2,

    /// <summary>VIRTIO_PCI_CAP_ISR_CFG.</summary>
    Isr = 3,

    /// <summary>VIRTIO_PCI_CAP_DEVICE_CFG.</summary>
    Device = 4,
}

/// <summary>Where one of them lies.</summary>
/// <param name="Bar">The BAR, 0 to 5.</param>
/// <param name="Offset">Its first byte there.</param>
/// <param name="Length">Bytes.</param>
/// <param name="NotifyMultiplier">Bytes between the doorbells of two queues; of <see cref="VirtioStructure.Notify"/> only.</param>
internal readonly record struct VirtioCapability(int Bar, uint Offset, uint Length, uint NotifyMultiplier)
{
    private const int StatusRegister = 0x06;
    private const int HasCapabilities = 0x10;
    private const int FirstCapability = 0x34;
    private const int FirstByte = 0x40; // After the header.
    private const int ConfigurationLength = 256;
    private const byte VendorSpecific = 9;
    private const int CapabilityLength = 16, NotifyCapabilityLength = 20;
    private const int Bars = 6;

    /// <summary>Finds the structures; of each kind the first that makes sense, as §4.1.4.1 asks.</summary>
    /// <param name="configuration">Configuration space, 256 bytes.</param>
    /// <exception cref="FunctionFaultException">The list of capabilities is no list.</exception>
    internal static IReadOnlyDictionary<VirtioStructure, VirtioCapability> Find(ReadOnlySpan<byte> configuration)
    {
        var found = new Dictionary<VirtioStructure, VirtioCapability>();
        if (configuration.Length < ConfigurationLength || (configuration[StatusRegister] & HasCapabilities) == 0)
        {
            return found;
        }

        int at = configuration[FirstCapability] & ~3;
        for (int seen = 0; at != 0; seen++)
        {
            if (at < FirstByte || seen > ConfigurationLength / 4)
            {
                throw new FunctionFaultException($"its list of capabilities goes wrong at 0x{at:x2}");
            }

            if (configuration[at] == VendorSpecific && at + CapabilityLength <= ConfigurationLength)
            {
                ReadOnlySpan<byte> capability = configuration[at..];
                var kind = (VirtioStructure)capability[3];
                bool isWhole = kind != VirtioStructure.Notify || at + NotifyCapabilityLength <= ConfigurationLength;
                if (capability[4] < Bars && isWhole && Enum.IsDefined(kind))
                {
                    uint multiplier = kind == VirtioStructure.Notify ? BinaryPrimitives.ReadUInt32LittleEndian(capability[16..]) : 0;
                    _ = found.TryAdd(kind, new VirtioCapability(
                        capability[4], BinaryPrimitives.ReadUInt32LittleEndian(capability[8..]), BinaryPrimitives.ReadUInt32LittleEndian(capability[12..]), multiplier));
                }
            }

            at = configuration[at + 1] & ~3;
        }

        return found;
    }
}
