using Arrakis.Contract;
using Arrakis.ControlPlane.Devices.Vfio;
using Arrakis.Native.Vfio;
using Arrakis.Wire;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.ControlPlane.Devices.VirtioPci;

/// <summary>Sets modern virtio network functions up (virtio 1.2 §3.1.1, §4.1): negotiation here, rings in the data plane.</summary>
internal sealed class VirtioPciDriver : IFunctionDriver
{
    private const int ConfigurationLength = 256;

    // Without it, a device behind an IOMMU would take addresses to be physical ones (§6).
    private const VirtioFeatures Indispensable = VirtioFeatures.Version1 | VirtioFeatures.AccessPlatform;

    // Of the ring's format there is no choice any more; offloads and the rest as wanted and offered.
    private const VirtioFeatures OfTheBus = VirtioFeatures.AccessPlatform | VirtioFeatures.OrderPlatform;

    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    /// <inheritdoc/>
    public string Model => "virtio-net";

    /// <inheritdoc/>
    public RingFormat? RingFormat => null;

    /// <inheritdoc/>
    public async Task<FunctionSetup> SetUpAsync(VfioDevice device, DmaDomain domain, SessionRequest request, TimeProvider time, CancellationToken cancellation)
    {
        byte[] configuration = new byte[ConfigurationLength];
        int length = device.ReadConfiguration(configuration, 0);
        IReadOnlyDictionary<VirtioStructure, VirtioCapability> structures = VirtioCapability.Find(configuration.AsSpan(0, length));
        if (!structures.TryGetValue(VirtioStructure.Common, out VirtioCapability common)
            || !structures.TryGetValue(VirtioStructure.Notify, out VirtioCapability notify)
            || !structures.TryGetValue(VirtioStructure.Device, out VirtioCapability own))
        {
            throw new FunctionFaultException("it is no modern virtio device (virtio 1.2 §4.1.4); set disable-legacy=on where it is a virtual machine's");
        }

        var registers = new BarRegisters(device, common.Bar);
        (VirtioFeatures features, ushort[] places) = await NegotiateAsync(new CommonConfiguration(registers, common.Offset), request.Nic, time, cancellation).ConfigureAwait(false);
        var doorbells = new BarRegisters(device, notify.Bar);
        MacAddress? mac = null;
        if ((features & VirtioFeatures.NetMac) != 0)
        {
            mac = ReadMac(new BarRegisters(device, own.Bar), own.Offset);
        }

        return new FunctionSetup(
            features & ~OfTheBus,
            [.. places.Select((place, queue) => Doorbell(doorbells, notify, place, queue))],
            null,
            mac);
    }

    /// <summary>Negotiates and starts the queues. Returns the features in force and each queue's place among the doorbells.</summary>
    internal static async Task<(VirtioFeatures Features, ushort[] Places)> NegotiateAsync(CommonConfiguration common, Grant grant, TimeProvider time, CancellationToken cancellation)
    {
        common.Status = 0;
        long start = time.GetTimestamp();
        while (common.Status != 0)
        {
            // §4.1.4.3.2: the reset is over when zero is read back.
            if (time.GetElapsedTime(start) > s_patience)
            {
                throw new FunctionFaultException("it does not finish its reset");
            }

            await Task.Delay(s_pause, time, cancellation).ConfigureAwait(false);
        }

        common.Status = CommonConfiguration.Acknowledge;
        common.Status = CommonConfiguration.Acknowledge | CommonConfiguration.Driver;
        VirtioFeatures offered = common.ReadDeviceFeatures();
        VirtioFeatures missing = (Indispensable | (grant.Features & VirtioFeatures.RingPacked)) & ~offered;
        if (missing != VirtioFeatures.None)
        {
            common.Status = CommonConfiguration.Failed;
            throw new FunctionFaultException($"it does not offer {missing}");
        }

        VirtioFeatures features = offered & (grant.Features | OfTheBus);
        common.WriteDriverFeatures(features);
        const byte Negotiated = CommonConfiguration.Acknowledge | CommonConfiguration.Driver | CommonConfiguration.FeaturesOk;
        common.Status = Negotiated;
        if ((common.Status & CommonConfiguration.FeaturesOk) == 0)
        {
            throw new FunctionFaultException($"it does not take the features {features}");
        }

        ushort[] places = new ushort[grant.Queues.Count];
        for (int i = 0; i < places.Length; i++)
        {
            int most = common.SelectQueue(i);
            RingLayout ring = grant.Queues[i].Ring;
            places[i] = most >= ring.QueueSize
                ? common.EnableQueue(ring, grant.Memory.IovaBase, vector: 0)
                : throw new FunctionFaultException($"its queue {i} has {most} descriptors at most, not {ring.QueueSize}; ask for smaller rings");
        }

        common.Status = Negotiated | CommonConfiguration.DriverOk;
        return (features, places);
    }

    private static DoorbellRegister Doorbell(BarRegisters bar, VirtioCapability notify, ushort place, int queue)
    {
        ulong offset = (ulong)place * notify.NotifyMultiplier;
        return offset + sizeof(ushort) <= notify.Length
            ? new DoorbellRegister(bar.FileOffset(notify.Offset + (long)offset), sizeof(ushort), (uint)queue)
            : throw new FunctionFaultException($"the doorbell of its queue {queue} is outside of the structure that has them");
    }

    private static MacAddress? ReadMac(BarRegisters bar, uint offset)
    {
        Span<byte> octets = stackalloc byte[MacAddress.Length];
        for (int i = 0; i < octets.Length; i++)
        {
            octets[i] = bar.Read8(offset + i);
        }

        MacAddress mac = MacAddress.Read(octets);
        return mac.IsUnicast ? mac : throw new FunctionFaultException($"its hardware address {mac} is not that of one station");
    }
}
