using Arrakis.Contract;
using Arrakis.ControlPlane.Bindings;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Memory;
using Arrakis.Native.Processes;
using Arrakis.Native.Vfio;

namespace Arrakis.ControlPlane.Devices.Vfio;

/// <summary>A PCI function at work on the rings of a binding, in an IOMMU domain that has the binding's queue memory and nothing else.</summary>
internal sealed class VfioSession : IDeviceSession
{
    /// <summary>Parts in the descriptor store, beside the domain's own.</summary>
    internal const string DevicePart = "device", RequestPart = "request";

    /// <summary>All that may be kept of a session.</summary>
    internal static readonly IReadOnlyList<string> Parts = [DevicePart, RequestPart, IommufdDomain.IommufdPart, ContainerDomain.GroupPart, ContainerDomain.ContainerPart];

    private static readonly TimeSpan s_watchInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_stopLimit = TimeSpan.FromSeconds(1);

    private readonly HardwareFunction _function;
    private readonly DmaDomain _domain;
    private readonly VfioDevice _device;
    private readonly EventFd _request;
    private readonly SessionContext _context;
    private readonly MemoryGrant _memory;
    private readonly FunctionSetup? _setup;
    private ProcessDescriptor? _holder;

    private VfioSession(
        HardwareFunction function, DmaDomain domain, VfioDevice device, EventFd request, SessionContext context, MemoryGrant memory, FunctionSetup? setup, ProcessDescriptor holder)
    {
        _function = function;
        _domain = domain;
        _device = device;
        _request = request;
        _context = context;
        _memory = memory;
        _setup = setup;
        _holder = holder;
    }

    /// <inheritdoc/>
    public IReadOnlyList<(string Part, Descriptor Descriptor)> Kept =>
        [.. _domain.Parts, (DevicePart, _device.Descriptor), (RequestPart, _request.Descriptor)];

    /// <inheritdoc/>
    public Descriptor? Registers => _device.Descriptor;

    /// <summary>Sets a function to work.</summary>
    /// <exception cref="FunctionFaultException">It does not come up.</exception>
    /// <exception cref="LinuxException">The kernel refuses a step.</exception>
    internal static async Task<IDeviceSession> OpenAsync(HardwareFunction function, IFunctionDriver driver, SessionRequest request, SessionContext context, CancellationToken cancellation)
    {
        (DmaDomain domain, VfioDevice device) = await function.OpenAsync(cancellation).ConfigureAwait(false);
        EventFd? asked = null;
        ProcessDescriptor? holder = null;
        try
        {
            holder = new ProcessDescriptor(request.Holder.Descriptor.Duplicate());
            asked = new EventFd();
            device.RouteRequest(asked);
            MapMemory(domain, request);
            device.Enable();
            device.RouteInterrupts(request.Events);
            FunctionSetup setup = await driver.SetUpAsync(device, domain, request, context.Time, cancellation).ConfigureAwait(false);
            return new VfioSession(function, domain, device, asked, context, request.Grant.Memory, setup, holder);
        }
        catch
        {
            asked?.Dispose();
            device.Dispose();
            domain.Dispose();
            function.Release(holder);
            throw;
        }
    }

    /// <summary>Goes on with a session that an earlier daemon opened; null where too little of it was kept.</summary>
    internal static IDeviceSession? Adopt(HardwareFunction function, BindingRecord record, IReadOnlyDictionary<string, Descriptor> parts, SessionContext context)
    {
        if (!parts.TryGetValue(DevicePart, out Descriptor? device) || !parts.TryGetValue(RequestPart, out Descriptor? request)
            || AdoptDomain(parts, record.DomainId) is not { } domain)
        {
            return null;
        }

        function.Adopt();
        return new VfioSession(
            function, domain, new VfioDevice(device), new EventFd(request), context, record.Grant.Memory, null, new ProcessDescriptor(parts["holder"].Duplicate()));
    }

    /// <inheritdoc/>
    public BindingRecord Complete(BindingRecord record)
    {
        if (_setup is null)
        {
            return record;
        }

        int registers = BindingGrant.EventDescriptor + record.Grant.QueueCount();
        return record with
        {
            DomainId = _domain.Id,
            Grant = record.Grant switch
            {
                Grant nic => Complete(nic, _setup, registers),
                StorageGrant storage => Complete(storage, _setup, registers),
                var other => other,
            },
        };
    }

    private static Grant Complete(Grant grant, FunctionSetup setup, int registers) => grant with
    {
        Features = setup.Features,
        Mac = setup.Mac ?? grant.Mac,
        Queues =
        [
            .. grant.Queues.Select((queue, i) => queue with
            {
                KickDescriptor = registers,
                EventDescriptor = BindingGrant.EventDescriptor + i / 2,
                Doorbell = setup.Doorbells[i],
                EventArm = setup.EventArm,
            }),
        ],
    };

    private static StorageGrant Complete(StorageGrant grant, FunctionSetup setup, int registers) => grant with
    {
        Features = setup.Features,
        HasSgl = setup.HasSgl,
        Queues =
        [
            .. grant.Queues.Select((queue, i) => queue with
            {
                KickDescriptor = registers,
                EventDescriptor = BindingGrant.EventDescriptor + i,
                Doorbell = setup.Doorbells[i],
                CompletionDoorbell = setup.CompletionDoorbells.Count == 0 ? null : setup.CompletionDoorbells[i],
            }),
        ],
    };

    /// <inheritdoc/>
    public TimeSpan StopTimeout { get; } = TimeSpan.FromSeconds(3); // A reset alone takes a tenth of a second (PCI Express 4.0 §6.6.2).

    /// <inheritdoc/>
    public async Task<SessionEnd> WaitForEndAsync(CancellationToken cancellation)
    {
        if (_setup?.Running is not { } running)
        {
            await _context.Loop.WaitAsync(_request.Descriptor, Readiness.Read, cancellation).ConfigureAwait(false);
            return SessionEnd.Removed;
        }

        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        Task removed = _context.Loop.WaitAsync(_request.Descriptor, Readiness.Read, either.Token);
        Task failed = WatchAsync(running, either.Token);
        Task first = await Task.WhenAny(removed, failed).ConfigureAwait(false);
        await either.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(removed, failed).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await first.ConfigureAwait(false);
        return first == removed ? SessionEnd.Removed : SessionEnd.Lost;
    }

    /// <inheritdoc/>
    public async Task StopAsync(CancellationToken cancellation)
    {
        if (_setup?.Running is { } running)
        {
            await StopAsync(running, cancellation).ConfigureAwait(false);
        }

        await Task.Run(TakeAway, cancellation).WaitAsync(cancellation).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void HangUp()
    {
        // What stops the device does so for all who hold it.
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _request.Dispose();
        _device.Dispose();
        _domain.Dispose();
        _setup?.Running?.Dispose();
        _function.Release(Interlocked.Exchange(ref _holder, null));
    }

    private async Task WatchAsync(IRunningFunction running, CancellationToken cancellation)
    {
        while (!running.HasFailed)
        {
            await Task.Delay(s_watchInterval, _context.Time, cancellation).ConfigureAwait(false);
        }
    }

    // What does not stop in good order is taken away all the same.
    private async Task StopAsync(IRunningFunction running, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(s_stopLimit, _context.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, limit.Token);
        try
        {
            await running.StopAsync(either.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is FunctionFaultException or LinuxException or ObjectDisposedException || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            // The steps that follow ask the function for nothing.
        }
    }

    // From the device's end to the memory's: each step stops all DMA, and the later ones do so where an earlier one failed or is
    // undone by somebody who holds the device too.
    private void TakeAway()
    {
        List<Exception> faults = [];
        Try(_device.Disable);
        Try(_device.StopInterrupts);
        Try(() => _domain.Unmap(new Iova(_memory.IovaBase), _memory.Length));
        Try(_device.Reset);
        if (faults.Count > 0)
        {
            throw new LinuxException($"not all of the function was taken away: {string.Join("; ", faults.Select(static fault => fault.Message))}", faults[0]);
        }

        void Try(Action step)
        {
            try
            {
                step();
            }
            catch (Exception e) when (e is LinuxException or ObjectDisposedException)
            {
                faults.Add(e);
            }
        }
    }

    private static void MapMemory(DmaDomain domain, SessionRequest request)
    {
        // The pages stay pinned for the device; this process's mapping of them is needed for no longer than the call.
        MemoryGrant memory = request.Grant.Memory;
        using MemoryMapping mapping = MemoryMapping.Map(request.Memory.Descriptor, 0, memory.Length, MappingAccess.ReadWrite);
        domain.Map(mapping, new Iova(memory.IovaBase));
    }

    private static DmaDomain? AdoptDomain(IReadOnlyDictionary<string, Descriptor> parts, uint id) =>
        parts.TryGetValue(IommufdDomain.IommufdPart, out Descriptor? iommufd) ? new IommufdDomain(iommufd, id)
            : parts.TryGetValue(ContainerDomain.ContainerPart, out Descriptor? container) && parts.TryGetValue(ContainerDomain.GroupPart, out Descriptor? group)
                ? new ContainerDomain(container, group)
                : null;
}
