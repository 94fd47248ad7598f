using Arrakis.ControlPlane.Devices.Vfio;
using Arrakis.Wire.Virtio;

namespace Arrakis.ControlPlane.Tests.Devices.VirtioPci;

/// <summary>The common configuration structure of a virtio function (virtio 1.2 §4.1.4.3), at offset 0; each field answers only to its own width.</summary>
internal sealed class FakeVirtioFunction : IRegisterFile
{
    private readonly Dictionary<(int Queue, long Offset), uint> _queues = [];
    private uint _deviceSelect;
    private uint _driverSelect;
    private ushort _queue;
    private byte _status;
    private ulong _accepted;

    internal VirtioFeatures Offered { get; init; } = VirtioFeatures.Version1 | VirtioFeatures.AccessPlatform | VirtioFeatures.NetMac;

    internal ushort QueueSizeMax { get; init; } = 256;

    internal bool TakesFeatures { get; init; } = true;

    internal bool HasVectors { get; init; } = true;

    internal bool FinishesReset { get; init; } = true;

    internal VirtioFeatures Accepted => (VirtioFeatures)_accepted;

    internal List<byte> Statuses { get; } = [];

    internal uint QueueRegister(int queue, long offset) => _queues.GetValueOrDefault((queue, offset));

    public byte Read8(long offset)
    {
        Assert.Equal(0x14, offset);
        return _status;
    }

    public ushort Read16(long offset) => offset switch
    {
        0x12 => 3,
        0x18 => QueueSizeMax,
        0x1A => HasVectors ? (ushort)_queues.GetValueOrDefault((_queue, offset)) : (ushort)0xFFFF,
        0x1E => (ushort)(_queue + 4),
        _ => throw new InvalidOperationException($"No field of two bytes is read at 0x{offset:x}."),
    };

    public uint Read32(long offset)
    {
        Assert.Equal(4, offset);
        return _deviceSelect switch { 0 => (uint)Offered, 1 => (uint)((ulong)Offered >> 32), _ => 0 };
    }

    public void Write8(long offset, byte value)
    {
        Assert.Equal(0x14, offset);
        Statuses.Add(value);
        _status = value == 0 && !FinishesReset ? (byte)1
            : TakesFeatures ? value : (byte)(value & ~8);
    }

    public void Write16(long offset, ushort value)
    {
        if (offset == 0x16)
        {
            _queue = value;
            return;
        }

        Assert.Contains(offset, new long[] { 0x18, 0x1A, 0x1C });
        _queues[(_queue, offset)] = value;
    }

    public void Write32(long offset, uint value)
    {
        switch (offset)
        {
            case 0:
                _deviceSelect = value;
                break;
            case 8:
                _driverSelect = value;
                break;
            case 12:
                _accepted = _driverSelect == 0 ? (_accepted & ~0xFFFF_FFFFUL) | value : (_accepted & 0xFFFF_FFFFUL) | (ulong)value << 32;
                break;
            default:
                Assert.InRange(offset, 0x20, 0x34);
                _queues[(_queue, offset)] = value;
                break;
        }
    }
}
