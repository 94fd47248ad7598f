using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Devices;
using Arrakis.ControlPlane.Devices.VhostUser;
using Arrakis.ControlPlane.Keeper;
using Arrakis.Native.Events;
using Arrakis.Native.Memory;
using Arrakis.Native.Processes;

namespace Arrakis.ControlPlane.Bindings;

/// <summary>Where a binding is in its life. It only goes forward.</summary>
internal enum BindingPhase
{
    /// <summary>Reserved and being made; nobody else knows of it.</summary>
    Allocating,

    /// <summary>Made, and its grant is on the way: the holder may have read it already and act on it.</summary>
    Offered,

    /// <summary>Granted.</summary>
    Active,

    /// <summary>Asked back.</summary>
    RevocationRequested,

    /// <summary>Being taken down.</summary>
    Ending,

    /// <summary>Gone.</summary>
    Ended,
}

/// <summary>One binding: what is reserved for it, what it is made of, and where it is in its life.</summary>
internal sealed class Binding
{
    private static readonly string[] s_parts = ["memory", "status", "event", "kick0", "kick1", "holder"];

    internal Binding(INicDevice device, BindingRecord record, long chargedMemory)
    {
        Device = device;
        Record = record;
        ChargedMemory = chargedMemory;
    }

    /// <summary>Guards <see cref="Phase"/>, <see cref="Record"/> and <see cref="EndTask"/>.</summary>
    internal Lock Lock { get; } = new();

    internal INicDevice Device { get; }

    internal BindingRecord Record { get; set; }

    internal long ChargedMemory { get; }

    internal ulong Id => Record.Grant.BindingId;

    internal uint Generation => Record.Grant.Generation;

    internal int Function => Record.Grant.VirtualFunction;

    internal BindingPhase Phase { get; set; }

    /// <summary>The connection that it was bound on; null after a restart of the daemon.</summary>
    internal object? Connection { get; set; }

    /// <summary>Completes when it is gone.</summary>
    internal Task? EndTask { get; set; }

    /// <summary>Ends what watches over it.</summary>
    internal CancellationTokenSource Ending { get; } = new();

    /// <summary>Completes when it is made, or its making has failed: it is not taken down before that.</summary>
    internal Task Making { get; set; } = Task.CompletedTask;

    internal Task HolderWatch { get; set; } = Task.CompletedTask;

    internal Task LinkWatch { get; set; } = Task.CompletedTask;

    internal RecordFile? RecordFile { get; set; }

    internal MemoryFile? Memory { get; set; }

    internal StatusPage? Status { get; set; }

    internal EventFd? Event { get; set; }

    internal EventFd? ReceiveKick { get; set; }

    internal EventFd? TransmitKick { get; set; }

    internal ProcessDescriptor? Holder { get; set; }

    internal VhostUserFrontEnd? FrontEnd { get; set; }

    internal PortIdentity Port => new(Record.Grant.Mac, Record.Grant.Address.Address, Record.Filter, Record.Grant.Rate);

    /// <summary>Names in the descriptor store in the order of removal: the record goes last.</summary>
    internal IReadOnlyList<string> StoredNames =>
        [StoreNames.OfBinding(Id, "vhost"), .. s_parts.Select(part => StoreNames.OfBinding(Id, part)), StoreNames.OfBinding(Id, "record")];

    /// <summary>What the descriptor store keeps, the record first; the vhost-user connection is put when there is one.</summary>
    internal IReadOnlyList<NamedDescriptor> StoredDescriptors =>
    [
        new(StoreNames.OfBinding(Id, "record"), RecordFile!.Descriptor),
        new(StoreNames.OfBinding(Id, "memory"), Memory!.Descriptor),
        new(StoreNames.OfBinding(Id, "status"), Status!.Descriptor),
        new(StoreNames.OfBinding(Id, "event"), Event!.Descriptor),
        new(StoreNames.OfBinding(Id, "kick0"), ReceiveKick!.Descriptor),
        new(StoreNames.OfBinding(Id, "kick1"), TransmitKick!.Descriptor),
        new(StoreNames.OfBinding(Id, "holder"), Holder!.Descriptor),
    ];

    /// <summary>Writes the record.</summary>
    internal void Save(Func<BindingRecord, BindingRecord> change)
    {
        Record = change(Record);
        RecordFile?.Write(Record.Encode());
    }

    internal BindingDescription Describe() => new()
    {
        BindingId = Id,
        Generation = Generation,
        State = Phase switch
        {
            BindingPhase.Allocating => BindingState.None,
            BindingPhase.Offered or BindingPhase.Active => BindingState.Active,
            BindingPhase.RevocationRequested => BindingState.RevocationRequested,
            _ => Record.EndState,
        },
        Device = Record.Grant.Device,
        VirtualFunction = Function,
        ProcessId = Record.ProcessId,
        UserId = Record.UserId,
        Executable = Record.Executable,
        Mac = Record.Grant.Mac,
        Address = Record.Grant.Address,
        MemoryLength = Record.Grant.Memory.Length,
        PageSize = Record.Grant.Memory.PageSize,
        Rate = Record.Grant.Rate,
        LinkUp = FrontEnd is not null,
        BoundAt = Record.BoundAt,
    };

    /// <summary>What a revocation takes.</summary>
    internal IReadOnlyList<RepossessionEntry> Repossession(long now)
    {
        Grant grant = Record.Grant;
        List<RepossessionEntry> vector =
        [
            new(ResourceKind.VirtualFunction, (ulong)grant.VirtualFunction, 1, now),
            new(ResourceKind.QueuePairs, 0, 1, now),
            new(ResourceKind.QueueMemory, 0, (ulong)grant.Memory.Length, now),
            new(ResourceKind.MacAddress, grant.Mac.Value, 1, now),
            new(ResourceKind.Ipv4Address, grant.Address.Address.Value, (ulong)grant.Address.PrefixLength, now),
        ];
        if (grant.Rate is { } rate)
        {
            vector.Add(new RepossessionEntry(ResourceKind.Rate, (ulong)rate.BitsPerSecond, (ulong)rate.BurstBytes, now));
        }

        return vector;
    }

    /// <summary>Closes all descriptors.</summary>
    internal void Close()
    {
        FrontEnd?.Dispose();
        RecordFile?.Dispose();
        Memory?.Dispose();
        Status?.Dispose();
        Event?.Dispose();
        ReceiveKick?.Dispose();
        TransmitKick?.Dispose();
        Holder?.Dispose();
    }
}
