using Arrakis.Native;
using Arrakis.Native.Vfio;
using Tmds.Linux;

namespace Arrakis.ControlPlane.Devices.Vfio;

/// <summary>
/// A BAR through the device's file. Unlike a mapping, a function that is gone or disabled is an error here and no signal.
/// </summary>
internal sealed class BarRegisters : IRegisterFile
{
    private readonly VfioDevice _device;
    private readonly VfioRegion _region;

    /// <summary>Finds a BAR.</summary>
    /// <exception cref="LinuxException">The function has none of that number.</exception>
    internal BarRegisters(VfioDevice device, int index)
    {
        _device = device;
        _region = device.Region(index);
        if (_region.Length == 0)
        {
            throw new LinuxException($"BAR {index} is not there", LibC.ENODEV);
        }
    }

    /// <summary>Where a register lies in the device's file.</summary>
    internal long FileOffset(long offset) => _region.Offset + offset;

    /// <inheritdoc/>
    public byte Read8(long offset)
    {
        Span<byte> value = stackalloc byte[sizeof(byte)];
        _device.ReadRegion(_region, value, offset);
        return value[0];
    }

    /// <inheritdoc/>
    public ushort Read16(long offset)
    {
        Span<byte> value = stackalloc byte[sizeof(ushort)];
        _device.ReadRegion(_region, value, offset);
        return BitConverter.ToUInt16(value);
    }

    /// <inheritdoc/>
    public uint Read32(long offset)
    {
        Span<byte> value = stackalloc byte[sizeof(uint)];
        _device.ReadRegion(_region, value, offset);
        return BitConverter.ToUInt32(value);
    }

    /// <inheritdoc/>
    public void Write8(long offset, byte value) => _device.WriteRegion(_region, [value], offset);

    /// <inheritdoc/>
    public void Write16(long offset, ushort value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ushort)];
        _ = BitConverter.TryWriteBytes(bytes, value);
        _device.WriteRegion(_region, bytes, offset);
    }

    /// <inheritdoc/>
    public void Write32(long offset, uint value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        _ = BitConverter.TryWriteBytes(bytes, value);
        _device.WriteRegion(_region, bytes, offset);
    }
}
