using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.Native;
using Arrakis.Native.Events;
using Tmds.Linux;

namespace Arrakis;

/// <summary>What a binding has mapped and open: status page, queue memory, the device's registers, and the grant's descriptors.</summary>
internal sealed class BindingMemory : IDisposable
{
    private readonly IReadOnlyList<Descriptor> _descriptors;

    /// <summary>Takes a grant's descriptors, of which it becomes the owner, also where it throws.</summary>
    /// <param name="grant">The grant.</param>
    /// <param name="descriptors">What came with it.</param>
    /// <param name="check">Checks the grant against them, before any of its numbers becomes an address.</param>
    /// <exception cref="InvalidGrantException">The grant does not fit its descriptors.</exception>
    public BindingMemory(BindingGrant grant, IReadOnlyList<Descriptor> descriptors, Action check)
    {
        _descriptors = descriptors;
        try
        {
            check();
            Status = StatusPageReader.Map(grant, descriptors[BindingGrant.StatusDescriptor]);
            Region = DmaRegion.Map(grant.Memory, descriptors[BindingGrant.MemoryDescriptor]);
        }
        catch (Exception e)
        {
            Dispose();
            if (Explain(e) is { } explained)
            {
                throw explained;
            }

            throw;
        }
    }

    /// <summary>The status page.</summary>
    public StatusPageReader Status { get; }

    /// <summary>Queue memory.</summary>
    public DmaRegion Region { get; }

    /// <summary>The device's registers that the grant names.</summary>
    public DeviceRegisters Registers { get; } = new();

    /// <summary>An error of a descriptor that is of another kind than the grant says; null where it is another error.</summary>
    public static InvalidGrantException? Explain(Exception e) =>
        e is LinuxException { Errno: var errno } && (errno == LibC.EACCES || errno == LibC.ENODEV || errno == LibC.EINVAL || errno == LibC.EBADF)
            ? new InvalidGrantException($"A descriptor of the grant is not what it is to be: {e.Message}.", e)
            : null;

    /// <summary>The eventfd at a place among the descriptors.</summary>
    public EventFd EventAt(int place) => new(_descriptors[place]);

    /// <summary>The doorbell of a ring.</summary>
    /// <param name="place">The place among the descriptors of its eventfd, or of the device's file.</param>
    /// <param name="register">The register that is the doorbell; null where it is the eventfd.</param>
    /// <param name="arm">The register that asks for an event; null where there is none.</param>
    public Doorbell DoorbellAt(int place, DoorbellRegister? register, DoorbellRegister? arm = null)
    {
        Descriptor file = _descriptors[place];
        return register is null
            ? new Doorbell(new EventFd(file))
            : new Doorbell(Registers.Map(register, place, file), arm is null ? null : Registers.Map(arm, place, file));
    }

    public void Dispose()
    {
        Region?.Dispose();
        Registers.Dispose();
        Status?.Dispose();
        foreach (Descriptor descriptor in _descriptors)
        {
            descriptor.Dispose();
        }
    }
}
