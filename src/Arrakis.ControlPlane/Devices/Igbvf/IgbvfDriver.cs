using Arrakis.Contract;
using Arrakis.ControlPlane.Devices.Vfio;
using Arrakis.Native.Vfio;
using Arrakis.Wire;
using Arrakis.Wire.Frames;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.ControlPlane.Devices.Igbvf;

/// <summary>Sets virtual functions of Intel's 82576 and I350 up: one queue pair of advanced descriptors, an interrupt that masks itself.</summary>
internal sealed class IgbvfDriver : IFunctionDriver
{
    private const int RegisterBar = 0;
    private const int StandardMtu = 1500;
    private const int CheckSequence = 4;
    private const int BufferKilobytes = 2; // SRRCTL.BSIZEPACKET
    private const int DescriptorSize = 16;

    // Prefetch and host thresholds as small as the queues of a poller are; each receive descriptor is written back at once.
    private const uint ReceiveThresholds = 16 | 8 << 8 | 1 << 16;
    private const uint TransmitThresholds = 8 | 1 << 8;
    private const VirtioFeatures Offered = VirtioFeatures.Version1 | VirtioFeatures.NetChecksum | VirtioFeatures.NetGuestChecksum | VirtioFeatures.NetMac;

    /// <inheritdoc/>
    public string Model => "igbvf";

    /// <inheritdoc/>
    public RingFormat? RingFormat => Wire.Rings.RingFormat.Igb;

    /// <inheritdoc/>
    public async Task<FunctionSetup> SetUpAsync(VfioDevice device, DmaDomain domain, SessionRequest request, TimeProvider time, CancellationToken cancellation)
    {
        var bar = new BarRegisters(device, RegisterBar);
        MacAddress mac = await SetUpAsync(bar, request.Nic, time, cancellation).ConfigureAwait(false);
        return new FunctionSetup(
            request.Nic.Features & Offered,
            [
                new DoorbellRegister(bar.FileOffset(IgbvfRegister.ReceiveTail), sizeof(uint)),
                new DoorbellRegister(bar.FileOffset(IgbvfRegister.TransmitTail), sizeof(uint)),
            ],
            new DoorbellRegister(bar.FileOffset(IgbvfRegister.EventMaskSet), sizeof(uint), 1),
            mac);
    }

    /// <summary>The same over any registers. Returns the hardware address that the physical function's driver gave.</summary>
    internal static async Task<MacAddress> SetUpAsync(IRegisterFile registers, Grant grant, TimeProvider time, CancellationToken cancellation)
    {
        registers.Write32(IgbvfRegister.Control, registers.Read32(IgbvfRegister.Control) | IgbvfRegister.ControlReset);
        var mailbox = new IgbvfMailbox(registers, time);
        MacAddress mac = await mailbox.ResetAsync(cancellation).ConfigureAwait(false);
        if (mac != grant.Mac)
        {
            throw new FunctionFaultException($"it has the hardware address {mac} and not {grant.Mac}, which the physical function was told");
        }

        if (grant.Mtu > StandardMtu)
        {
            await mailbox.SetMaxFrameAsync(grant.Mtu + EthernetView.HeaderLength + CheckSequence, cancellation).ConfigureAwait(false);
        }

        SetUpInterrupt(registers);
        SetUpQueue(registers, IgbvfRegister.ReceiveBase, grant, grant.Queues[0].Ring);
        registers.Write32(IgbvfRegister.ReceiveControl, IgbvfRegister.ReceiveOneBuffer | IgbvfRegister.ReceiveDropWhenEmpty | BufferKilobytes);
        registers.Write32(IgbvfRegister.ReceiveDescriptors, ReceiveThresholds | IgbvfRegister.QueueEnable);
        registers.Write32(IgbvfRegister.ReceiveHead, 0);
        registers.Write32(IgbvfRegister.ReceiveTail, 0);
        SetUpQueue(registers, IgbvfRegister.TransmitBase, grant, grant.Queues[1].Ring);
        registers.Write32(IgbvfRegister.TransmitHead, 0);
        registers.Write32(IgbvfRegister.TransmitTail, 0);
        registers.Write32(IgbvfRegister.TransmitDescriptors, TransmitThresholds | IgbvfRegister.QueueEnable);
        return mac;
    }

    // Both queues raise vector 0. It clears and masks itself when it is raised (EIAC, EIAM): who waits for it unmasks it, a poller
    // never sees one.
    private static void SetUpInterrupt(IRegisterFile registers)
    {
        registers.Write32(IgbvfRegister.EventMaskClear, uint.MaxValue);
        registers.Write32(IgbvfRegister.VectorAllocation, IgbvfRegister.VectorValid | IgbvfRegister.VectorValid << 8);
        registers.Write32(IgbvfRegister.EventThrottle, 0);
        registers.Write32(IgbvfRegister.EventAutoClear, 1);
        registers.Write32(IgbvfRegister.EventAutoMask, 1);
    }

    private static void SetUpQueue(IRegisterFile registers, long place, Grant grant, RingLayout ring)
    {
        ulong address = grant.Memory.IovaBase + (ulong)ring.DescriptorArea;
        registers.Write32(place, (uint)address);
        registers.Write32(place + IgbvfRegister.BaseHigh, (uint)(address >> 32));
        registers.Write32(place + IgbvfRegister.BaseLength, (uint)(ring.QueueSize * DescriptorSize));
    }
}
