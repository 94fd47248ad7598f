using Arrakis.ControlPlane.Devices.Vfio;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.ControlPlane.Devices.VirtioPci;

/// <summary>The common configuration structure (virtio 1.2 §4.1.4.3), of which each field has its own width.</summary>
internal sealed class CommonConfiguration(IRegisterFile registers, long start)
{
    /// <summary>Device status bits (§2.1).</summary>
    internal const byte Acknowledge = 1, Driver = 2, DriverOk = 4, FeaturesOk = 8, NeedsReset = 64, Failed = 128;

    /// <summary>No interrupt vector (§4.1.5.1.2).</summary>
    internal const ushort NoVector = 0xFFFF;

    /// <summary>Device status; writing zero resets.</summary>
    internal byte Status
    {
        get => registers.Read8(start + 0x14);
        set => registers.Write8(start + 0x14, value);
    }

    /// <summary>The device's features.</summary>
    internal VirtioFeatures ReadDeviceFeatures()
    {
        registers.Write32(start, 0);
        ulong low = registers.Read32(start + 0x04);
        registers.Write32(start, 1);
        return (VirtioFeatures)(low | (ulong)registers.Read32(start + 0x04) << 32);
    }

    /// <summary>The features in force.</summary>
    internal void WriteDriverFeatures(VirtioFeatures features)
    {
        registers.Write32(start + 0x08, 0);
        registers.Write32(start + 0x0C, (uint)features);
        registers.Write32(start + 0x08, 1);
        registers.Write32(start + 0x0C, (uint)((ulong)features >> 32));
    }

    /// <summary>Virtqueues that there are.</summary>
    internal ushort QueueCount => registers.Read16(start + 0x12);

    /// <summary>Chooses the queue that the rest is about; returns the most descriptors that it may have, zero where there is no such queue.</summary>
    internal ushort SelectQueue(int index)
    {
        registers.Write16(start + 0x16, (ushort)index);
        return registers.Read16(start + 0x18);
    }

    /// <summary>Sets the chosen queue up. Returns its place among the doorbells.</summary>
    /// <exception cref="FunctionFaultException">The device has no interrupt for it.</exception>
    internal ushort EnableQueue(RingLayout ring, ulong memory, ushort vector)
    {
        registers.Write16(start + 0x18, (ushort)ring.QueueSize);
        registers.Write16(start + 0x1A, vector);
        if (registers.Read16(start + 0x1A) != vector)
        {
            throw new FunctionFaultException($"it has no interrupt vector {vector} left for a queue");
        }

        WriteAddress(start + 0x20, memory + (ulong)ring.DescriptorArea);
        WriteAddress(start + 0x28, memory + (ulong)ring.DriverArea);
        WriteAddress(start + 0x30, memory + (ulong)ring.DeviceArea);
        ushort doorbell = registers.Read16(start + 0x1E);
        registers.Write16(start + 0x1C, 1);
        return doorbell;
    }

    // §4.1.3.1: fields of eight bytes are written as two halves.
    private void WriteAddress(long offset, ulong address)
    {
        registers.Write32(offset, (uint)address);
        registers.Write32(offset + sizeof(uint), (uint)(address >> 32));
    }
}
