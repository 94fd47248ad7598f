using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Areas;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.ControlSocket;
using Arrakis.ControlPlane.Devices;
using Arrakis.ControlPlane.Hosting;
using Arrakis.ControlPlane.Keeper;
using Arrakis.ControlPlane.Policy;
using Arrakis.Native;
using Arrakis.Native.Events;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Arrakis.ControlPlane.Tests.Support;

/// <summary>The control plane's inside in this process, with a fake device and a store that outlives it.</summary>
internal sealed class Plane : IAsyncDisposable
{
    private readonly ReadinessLoop _loop = new();
    private readonly HolderBell _bell = new();

    private readonly string _state = Directory.CreateTempSubdirectory("arrakis-state-").FullName;
    private readonly bool _ownsDisk;

    internal Plane(FakeDevice device, MemoryStore store, TimeProvider? time = null, FakeBlockDevice? disk = null)
    {
        Device = device;
        Disk = disk ?? new FakeBlockDevice();
        _ownsDisk = disk is null;
        Store = store;
        time ??= TimeProvider.System;
        Policy = new PolicyStore(new PolicyDocument { Rules = [new PolicyRule { Name = "root", Uid = 0, Devices = ["*"], Areas = ["*"], VirtualFunctions = 100, MemoryBytes = 1L << 40, QueueSize = 1024, Administrator = true }, new PolicyRule { Name = "all", Anyone = true, Devices = ["*"], Areas = ["*"], AreaBytes = 1L << 40, VirtualFunctions = 100, MemoryBytes = 1L << 40, QueueSize = 1024 }] });
        Ledger = new Ledger(time, new Random(1));
        var context = new SessionContext(_loop, time);
        var links = new LinkSupervisor(store, _bell, context, time, NullLogger<LinkSupervisor>.Instance);
        var builder = new BindingBuilder(time, NullLogger<BindingBuilder>.Instance);
        Areas = new AreaDirectory(Options.Create(new DaemonOptions { StateDirectory = Disk.StateDirectory ?? _state }), time, NullLogger<AreaDirectory>.Instance);
        AreaService = new AreaService(Areas, Ledger, Policy, NullLogger<AreaService>.Instance);
        Bindings = new BindingService(Ledger, Policy, builder, links, _bell, Areas, store, _loop, time, NullLogger<BindingService>.Instance);
        Recovery = new BindingRecovery(Ledger, Bindings, links, store, context, NullLogger<BindingRecovery>.Instance);
    }

    internal FakeDevice Device { get; }

    /// <summary>A block device beside it.</summary>
    internal FakeBlockDevice Disk { get; }

    internal AreaDirectory Areas { get; }

    internal AreaService AreaService { get; }

    internal MemoryStore Store { get; }

    internal PolicyStore Policy { get; }

    internal Ledger Ledger { get; }

    internal BindingService Bindings { get; }

    internal BindingRecovery Recovery { get; }

    /// <summary>Starts as a daemon does: with what is in the store.</summary>
    internal static async Task<Plane> StartAsync(FakeDevice device, MemoryStore store, TimeProvider? time = null, FakeBlockDevice? disk = null, params IReadOnlyList<IDevice> more)
    {
        var started = new Plane(device, store, time, disk);
        LeftDescriptors left = LeftDescriptors.Sort(await store.TakeLeftAsync(default));
        RecordFile record = left.Ledger is { } kept ? RecordFile.Adopt(kept) : RecordFile.Create("arrakis-test-ledger");
        if (left.Ledger is null)
        {
            await store.PutAsync([new NamedDescriptor(StoreNames.Ledger, record.Descriptor)]);
        }

        started.Ledger.Open([device, started.Disk, .. more], record);
        started.Areas.Open(started.Ledger.Devices);
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

    /// <summary>Binds a storage area, the grant sent.</summary>
    internal async Task<Binding> BindAsync(BindStorageRequest request, uint uid = 1000)
    {
        using PeerIdentity peer = Peers.Of(uid, uid);
        Binding binding = await Bindings.BindAsync(peer, request, new object(), default);
        BindingService.Confirm(binding);
        return binding;
    }

    /// <summary>Makes an area for a user, as root.</summary>
    internal async Task<AreaDescription> CreateAsync(string area, uint owner = 1000, long length = 1 << 20, string? device = null)
    {
        using PeerIdentity root = Peers.Of(0, 0);
        return await AreaService.CreateAsync(root, new CreateAreaRequest { Id = 1, Area = area, Length = length, Owner = owner, Device = device }, TestContext.Current.CancellationToken);
    }

    /// <summary>Ends as a killed daemon does: nothing is taken down.</summary>
    internal async Task AbandonAsync()
    {
        await Bindings.LetGoAsync();
        await Areas.DisposeAsync();
    }

    /// <summary>A copy of a status page that stays readable when the binding is gone.</summary>
    internal static StatusReader ReadStatus(Binding binding) => new(binding.Status!.OpenReadOnlyCopy());

    public async ValueTask DisposeAsync()
    {
        await Bindings.LetGoAsync();
        foreach (Binding binding in Ledger.All())
        {
            binding.Close();
        }

        AreaService.Dispose();
        await Areas.DisposeAsync();
        if (_ownsDisk)
        {
            await Disk.DisposeAsync();
        }

        Directory.Delete(_state, recursive: true);

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

/// <summary>Grants by their kind.</summary>
internal static class BindingGrants
{
    internal static Grant Nic(this Binding binding) => (Grant)binding.Record.Grant;

    internal static StorageGrant Storage(this Binding binding) => (StorageGrant)binding.Record.Grant;
}
