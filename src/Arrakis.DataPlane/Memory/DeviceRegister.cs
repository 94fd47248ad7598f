using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Arrakis.DataPlane.Memory;

/// <summary>A device's register of two or four bytes in a mapped page of <see cref="DeviceRegisters"/>; written only.</summary>
internal sealed unsafe class DeviceRegister
{
    private readonly byte* _address;
    private readonly bool _isWide;
    private readonly uint _value;

    public DeviceRegister(byte* address, int width, uint value)
    {
        _address = address;
        _isWide = width == sizeof(uint);
        _value = value;
    }

    /// <summary>Writes what the grant says.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Write() => Write(_value);

    /// <summary>Writes a value in one store of the register's width. What was written to memory before is there when the device reads it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Write(uint value)
    {
        // The compiler: a volatile store stays behind earlier stores. x86-64 does the rest: a store to uncached memory, as VFIO
        // maps registers, becomes visible after all earlier ones (Intel SDM vol. 3, memory ordering), and the device's read over PCIe
        // snoops the caches. Elsewhere a release store orders for other processors only, and a device needs a barrier more.
        if (!X86Base.IsSupported)
        {
            Interlocked.MemoryBarrier();
        }

        if (_isWide)
        {
            Volatile.Write(ref *(uint*)_address, value);
        }
        else
        {
            Volatile.Write(ref *(ushort*)_address, (ushort)value);
        }
    }
}
