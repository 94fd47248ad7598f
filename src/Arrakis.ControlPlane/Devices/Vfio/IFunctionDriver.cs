using Arrakis.Contract;
using Arrakis.Native.Vfio;
using Arrakis.Wire;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.ControlPlane.Devices.Vfio;

/// <summary>Knows how functions of one model are set up, so that what is left for the data plane is rings and doorbells.</summary>
internal interface IFunctionDriver
{
    /// <summary>The model, for the log.</summary>
    string Model { get; }

    /// <summary>The layout of its rings; null where it takes those that are asked for.</summary>
    RingFormat? RingFormat { get; }

    /// <summary>Sets a function up that was just reset and may reach queue memory. It works on the rings when this returns.</summary>
    /// <param name="device">The function.</param>
    /// <param name="domain">What it can reach; a driver may add memory of the daemon's own.</param>
    /// <param name="request">Rings and wanted features.</param>
    /// <param name="time">The clock for what takes time.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="FunctionFaultException">It does not come up.</exception>
    /// <exception cref="Native.LinuxException">It is gone.</exception>
    Task<FunctionSetup> SetUpAsync(VfioDevice device, DmaDomain domain, SessionRequest request, TimeProvider time, CancellationToken cancellation);
}

/// <summary>A function that is at work.</summary>
/// <param name="Features">In force, of those that were wanted.</param>
/// <param name="Doorbells">Of each ring, in the grant's order.</param>
/// <param name="EventArm">Where a poller asks for the next event; null where it does so in the ring.</param>
/// <param name="Mac">Its own hardware address, where it has one that cannot be chosen.</param>
internal sealed record FunctionSetup(VirtioFeatures Features, IReadOnlyList<DoorbellRegister> Doorbells, DoorbellRegister? EventArm, MacAddress? Mac)
{
    /// <summary>Of each NVMe completion queue, in the grant's order; empty elsewhere.</summary>
    internal IReadOnlyList<DoorbellRegister> CompletionDoorbells { get; init; } = [];

    /// <summary>Whether an NVMe controller takes SGL descriptors.</summary>
    internal bool HasSgl { get; init; }

    /// <summary>What there is to do with the function while it works; null where nothing is.</summary>
    internal IRunningFunction? Running { get; init; }
}

/// <summary>A function at work that its driver has more to do with.</summary>
internal interface IRunningFunction : IDisposable
{
    /// <summary>Whether it has failed, so that only a reset helps.</summary>
    bool HasFailed { get; }

    /// <summary>Stops it in good order, before it is taken away all the same.</summary>
    /// <exception cref="FunctionFaultException">It does not stop.</exception>
    /// <exception cref="Native.LinuxException">It is gone.</exception>
    Task StopAsync(CancellationToken cancellation);
}

/// <summary>A function does not behave as its specification says.</summary>
internal sealed class FunctionFaultException(string message) : Exception(message);
