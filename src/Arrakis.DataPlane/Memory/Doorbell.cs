using System.Runtime.CompilerServices;
using Arrakis.Native.Events;

namespace Arrakis.DataPlane.Memory;

/// <summary>What tells a device of new work in a ring: an eventfd, or a register of the device.</summary>
internal sealed class Doorbell
{
    private readonly EventFd? _eventFd;
    private readonly DeviceRegister? _register;
    private readonly DeviceRegister? _eventArm;

    /// <summary>An eventfd. To ring it is a system call.</summary>
    public Doorbell(EventFd eventFd) => _eventFd = eventFd;

    /// <summary>A register. To ring it is a store to the device.</summary>
    /// <param name="register">The register.</param>
    /// <param name="eventArm">The register that asks for an event; null where the ring itself does, or where the device raises one for all that it does.</param>
    public Doorbell(DeviceRegister register, DeviceRegister? eventArm)
    {
        _register = register;
        _eventArm = eventArm;
    }

    /// <summary>Rings it as the grant says: with the ring's index, where it is a register.</summary>
    public void Ring()
    {
        if (_register is { } register)
        {
            register.Write();
        }
        else
        {
            _eventFd!.Signal();
        }
    }

    /// <summary>Rings it with a value of the ring's, its tail: only where it is a register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Ring(uint tail) => _register!.Write(tail);

    /// <summary>Asks the device for an event, where that is a register.</summary>
    public void ArmEvent() => _eventArm?.Write();
}
