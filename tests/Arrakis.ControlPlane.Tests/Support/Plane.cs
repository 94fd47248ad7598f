using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.Devices;
using Arrakis.ControlPlane.Hosting;
using Arrakis.ControlPlane.Keeper;
using Arrakis.ControlPlane.Policy;
using Arrakis.Native;
using Arrakis.Native.Events;
using Microsoft.Extensions.Logging.Abstractions;

namespace Arrakis.ControlPlane.Tests.Support;

/// <summary>The control plane's inside in this process, with a fake device and a store that outlives it.</summary>
internal sealed class Plane : IAsyncDisposable
{
    private readonly ReadinessLoop _loop = new();
    private readonly HolderBell _bell = new();

    internal Plane(FakeDevice device, MemoryStore store, TimeProvider? time = null)
    {
        Device = device;
        Store = store;
        time ??= TimeProvider.System;
        Policy = new PolicyStore(new PolicyDocument { Rules = [new PolicyRule { Name = "all", Anyone = true, Devices = ["*"], VirtualFunctions = 100, MemoryBytes = 1L << 40, QueueSize = 1024 }] });
        Ledger = new Ledger(time, new Random(1));
        var context = new SessionContext(_loop, time);
        var links = new LinkSupervisor(store, _bell, context, time, NullLogger<LinkSupervisor>.Instance);
        var builder = new BindingBuilder(time, NullLogger<BindingBuilder>.Instance);
        Bindings = new BindingService(Ledger, Policy, builder, links, _bell, store, _loop, time, NullLogger<BindingService>.Instance);
        Recovery = new BindingRecovery(Ledger, Bindings, links, store, context, NullLogger<BindingRecovery>.Instance);
    }

    internal FakeDevice Device { get; }

    internal MemoryStore Store { get; }

    internal PolicyStore Policy { get; }

    internal Ledger Ledger { get; }

    internal BindingService Bindings { get; }

    internal BindingRecovery Recovery { get; }

    /// <summary>Starts as a daemon does: with what is in the store.</summary>
    internal static async Task<Plane> StartAsync(FakeDevice device, MemoryStore store, TimeProvider? time = null)
    {
        var started = new Plane(device, store, time);
        LeftDescriptors left = LeftDescriptors.Sort(await store.TakeLeftAsync(default));
        RecordFile record = left.Ledger is { } kept ? RecordFile.Adopt(kept) : RecordFile.Create("arrakis-test-ledger");
        if (left.Ledger is null)
        {
            await store.PutAsync([new NamedDescriptor(StoreNames.Ledger, record.Descriptor)]);
        }

        started.Ledger.Open([device], record);
        await started.Recovery.RunAsync(left.Bindings);
        return started;
    }

    /// <summary>Binds, as far as the grant's sending.</summary>
    internal Task<Binding> OfferAsync(BindNicRequest? request = null, object? connection = null, CancellationToken cancellation = default) =>
        Bindings.BindAsync(Peers.Of(), request ?? new BindNicRequest { Id = 1, Buffers = 16, QueueSize = 64 }, connection ?? new object(), cancellation);

    /// <summary>Binds, the grant sent.</summary>
    internal async Task<Binding> BindAsync(BindNicRequest? request = null)
    {
        Binding binding = await OfferAsync(request);
        BindingService.Confirm(binding);
        return binding;
    }

    /// <summary>Ends as a killed daemon does: nothing is taken down.</summary>
    internal Task AbandonAsync() => Bindings.LetGoAsync();

    /// <summary>A copy of a status page that stays readable when the binding is gone.</summary>
    internal static StatusReader ReadStatus(Binding binding) => new(binding.Status!.OpenReadOnlyCopy());

    public async ValueTask DisposeAsync()
    {
        await Bindings.LetGoAsync();
        foreach (Binding binding in Ledger.All())
        {
            binding.Close();
        }

        _bell.Dispose();
        _loop.Dispose();
    }
}

/// <summary>A status page as its holder sees it.</summary>
internal sealed class StatusReader(Descriptor page) : IDisposable
{
    private readonly Native.Memory.MemoryMapping _page = Native.Memory.MemoryMapping.Map(page, 0, StatusPageLayout.Length, Native.Memory.MappingAccess.Read);

    internal BindingState State => (BindingState)_page.LoadUInt32(StatusPageLayout.State);

    internal bool LinkUp => _page.LoadUInt32(StatusPageLayout.LinkState) != 0;

    internal uint LinkEpoch => _page.LoadUInt32(StatusPageLayout.LinkEpoch);

    internal uint RequestedUnits => _page.LoadUInt32(StatusPageLayout.RequestedUnits);

    internal long Deadline => (long)_page.LoadUInt64(StatusPageLayout.Deadline);

    internal IReadOnlyList<(ResourceKind Kind, ulong First, ulong Count)> Repossessed =>
    [
        .. Enumerable.Range(0, (int)_page.LoadUInt32(StatusPageLayout.RepossessionCount)).Select(i =>
        {
            long at = StatusPageLayout.RepossessionVector + (long)i * StatusPageLayout.RepossessionEntryLength;
            return ((ResourceKind)_page.LoadUInt32(at), _page.LoadUInt64(at + 8), _page.LoadUInt64(at + 16));
        }),
    ];

    public void Dispose()
    {
        _page.Dispose();
        page.Dispose();
    }
}
