using Arrakis.Contract;
using Arrakis.ControlPlane.Bindings;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Memory;
using Arrakis.Native.Processes;

namespace Arrakis.ControlPlane.Devices;

/// <summary>Why a session is over without having been stopped.</summary>
internal enum SessionEnd
{
    /// <summary>The device hung up: it may come back, and the rings go on with a new session.</summary>
    HungUp,

    /// <summary>The function is taken out of the machine: its binding ends.</summary>
    Removed,

    /// <summary>The device hung up on rings that nobody can go on in: its binding ends.</summary>
    Lost,
}

/// <summary>A device at work on the rings of a binding. What it was made of outlives the daemon where it is kept.</summary>
internal interface IDeviceSession : IDisposable
{
    /// <summary>What must stay open for the session to outlive the daemon, by part.</summary>
    IReadOnlyList<(string Part, Descriptor Descriptor)> Kept { get; }

    /// <summary>The file that the doorbells are registers of; null where they are eventfds.</summary>
    Descriptor? Registers { get; }

    /// <summary>The record with what only the device knows: features in force, doorbells, perhaps its own hardware address.</summary>
    BindingRecord Complete(BindingRecord record);

    /// <summary>How long <see cref="StopAsync"/> may take.</summary>
    TimeSpan StopTimeout { get; }

    /// <summary>Completes when the session is over by itself.</summary>
    Task<SessionEnd> WaitForEndAsync(CancellationToken cancellation);

    /// <summary>Stops the rings: when it returns, the device touches their memory no more.</summary>
    /// <exception cref="Exception">It does not answer, or not in time; the session is to be hung up on.</exception>
    Task StopAsync(CancellationToken cancellation);

    /// <summary>Ends it without asking, whoever else has copies of its descriptors.</summary>
    void HangUp();
}

/// <summary>What a device needs to run the rings of a binding.</summary>
/// <param name="Function">The virtual function.</param>
/// <param name="Grant">Rings, memory, and the features wanted; those in force where <paramref name="IsFirst"/> is false.</param>
/// <param name="Memory">Queue memory.</param>
/// <param name="Kicks">Eventfds for doorbells, one for each ring.</param>
/// <param name="Events">Eventfds that the device raises, one for each queue.</param>
/// <param name="Holder">Who will have the binding.</param>
/// <param name="IsFirst">Whether the grant is not out yet, so that features can still be chosen.</param>
internal sealed record SessionRequest(
    int Function, BindingGrant Grant, MemoryFile Memory, IReadOnlyList<EventFd> Kicks, IReadOnlyList<EventFd> Events, ProcessDescriptor Holder, bool IsFirst)
{
    /// <summary>The grant of a NIC's function.</summary>
    internal Grant Nic => (Grant)Grant;

    /// <summary>The grant of a storage area.</summary>
    internal StorageGrant Storage => (StorageGrant)Grant;
}

/// <summary>What sessions wait with.</summary>
/// <param name="Loop">For descriptors.</param>
/// <param name="Time">For time.</param>
internal sealed record SessionContext(ReadinessLoop Loop, TimeProvider Time);
