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
            FunctionSetup setup = await driver.SetUpAsync(device, request, context.Time, cancellation).ConfigureAwait(false);
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

        Grant grant = record.Grant;
        int registers = Grant.EventDescriptor + grant.QueuePairs;
        return record with
        {
            DomainId = _domain.Id,
            Grant = grant with
            {
                Features = _setup.Features,
                Mac = _setup.Mac ?? grant.Mac,
                Queues =
                [
                    .. grant.Queues.Select((queue, i) => queue with
                    {
                        KickDescriptor = registers,
                        EventDescriptor = Grant.EventDescriptor + i / 2,
                        Doorbell = _setup.Doorbells[i],
                        EventArm = _setup.EventArm,
                    }),
                ],
            },
        };
    }

    /// <inheritdoc/>
    public TimeSpan StopTimeout { get; } = TimeSpan.FromSeconds(3); // A reset alone takes a tenth of a second (PCI Express 4.0 §6.6.2).

    /// <inheritdoc/>
    public async Task<SessionEnd> WaitForEndAsync(CancellationToken cancellation)
    {
        await _context.Loop.WaitAsync(_request.Descriptor, Readiness.Read, cancellation).ConfigureAwait(false);
        return SessionEnd.Removed;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellation) => Task.Run(TakeAway, cancellation).WaitAsync(cancellation);

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
        _function.Release(Interlocked.Exchange(ref _holder, null));
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
