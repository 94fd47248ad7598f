using Arrakis.Native;
using Arrakis.SoftDevice.Memory;
using Arrakis.SoftDevice.Ports.Vf;
using Arrakis.SoftDevice.Rings;
using Arrakis.Wire.VhostUser;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Vhost;

/// <summary>What a front end has told of one ring so far, and the ring while it runs.</summary>
internal sealed class VringSetup : IDisposable
{
    /// <summary>Descriptors; zero until told.</summary>
    public int Size { get; set; }

    /// <summary>Where the parts are; null until told.</summary>
    public VringAddress? Address { get; set; }

    /// <summary>Where to go on: the next entry of the available ring, or in a packed ring the position and, in bit 15, the wrap counter.</summary>
    public ushort Base { get; set; }

    /// <summary>Whether SET_VRING_KICK came; GET_VRING_BASE takes it back.</summary>
    public bool IsKicked { get; private set; }

    /// <summary>Whether SET_VRING_ENABLE came.</summary>
    public bool IsEnabled { get; set; }

    /// <summary>The doorbell; none where the ring is polled.</summary>
    public Descriptor? Kick { get; private set; }

    /// <summary>The driver's event; none where it polls.</summary>
    public Descriptor? Call { get; private set; }

    /// <summary>Raised when the ring breaks.</summary>
    public Descriptor? Error { get; private set; }

    /// <summary>The ring while the polling thread has it.</summary>
    public RunningRing? Running { get; private set; }

    /// <summary>Takes a doorbell in the place of the last.</summary>
    public void SetKick(Descriptor? kick)
    {
        Kick?.Dispose();
        Kick = kick;
        IsKicked = true;
    }

    /// <summary>Forgets the doorbell: the ring is stopped until there is another.</summary>
    public void ClearKick()
    {
        Kick?.Dispose();
        Kick = null;
        IsKicked = false;
    }

    /// <summary>Takes an event in the place of the last. The ring is not running.</summary>
    public void SetCall(Descriptor? call)
    {
        Call?.Dispose();
        Call = call;
    }

    /// <summary>Takes an error event in the place of the last. The ring is not running.</summary>
    public void SetError(Descriptor? error)
    {
        Error?.Dispose();
        Error = error;
    }

    /// <summary>Makes the ring to run.</summary>
    public RingFault TryStart(MemoryTable memory, VirtioFeatures features, out RunningRing? running)
    {
        VringAddress address = Address!.Value;
        RingFault fault = DeviceRing.TryAttach(
            memory,
            Size,
            new FrontEndAddress(address.Descriptor),
            new FrontEndAddress(address.Available),
            new FrontEndAddress(address.Used),
            Base,
            features,
            out DeviceRing? ring);
        running = Running = ring is null ? null : new RunningRing(ring, memory, features, Call, Error, Kick is not null);
        return fault;
    }

    /// <summary>The polling thread has let go of the ring: remembers where to go on.</summary>
    public void Stopped()
    {
        if (Running is not null)
        {
            Base = Running.Ring.NextAvailable;
            Running = null;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Kick?.Dispose();
        Call?.Dispose();
        Error?.Dispose();
    }
}
