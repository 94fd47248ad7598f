using System.Globalization;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Devices;
using Arrakis.ControlPlane.Devices.Vfio;
using Arrakis.ControlPlane.Devices.VhostUser;
using Arrakis.ControlPlane.Keeper;
using Arrakis.Native.Events;
using Arrakis.Native.Memory;
using Arrakis.Native.Processes;
using Arrakis.Wire.Virtio;

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
    private long _dmaFaults;

    internal Binding(IDevice device, BindingRecord record, long chargedMemory)
    {
        Device = device;
        Record = record;
        ChargedMemory = chargedMemory;
    }

    /// <summary>Guards <see cref="Phase"/>, <see cref="Record"/> and <see cref="EndTask"/>.</summary>
    internal Lock Lock { get; } = new();

    internal IDevice Device { get; }

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

    /// <summary>What the device raises towards the holder: one for each queue.</summary>
    internal List<EventFd> Events { get; } = [];

    /// <summary>Doorbells, in the order of the grant's rings.</summary>
    internal List<EventFd> Kicks { get; } = [];

    internal ProcessDescriptor? Holder { get; set; }

    /// <summary>The device at work on its rings; null while the link is down.</summary>
    internal IDeviceSession? Session { get; set; }

    /// <summary>Names in the descriptor store in the order of removal: the record goes last.</summary>
    internal IReadOnlyList<string> StoredNames =>
        [.. SessionParts.Select(part => StoreNames.OfBinding(Id, part)), .. StoredParts(Record.Grant).Select(part => StoreNames.OfBinding(Id, part)), StoreNames.OfBinding(Id, "record")];

    /// <summary>What may be kept of a session, whatever the device's kind.</summary>
    internal static IReadOnlyList<string> SessionParts { get; } = [VhostUserSession.ConnectionPart, .. VfioSession.Parts];

    /// <summary>What is kept of a binding beside its record and its session.</summary>
    internal static IReadOnlyList<string> StoredParts(BindingGrant grant) =>
    [
        "memory",
        "status",
        .. Enumerable.Range(0, grant.QueueCount()).Select(EventPart),
        .. Enumerable.Range(0, grant.QueueCount() * grant.RingsPerQueue()).Select(KickPart),
        "holder",
    ];

    /// <summary>The name of a queue's event; that of the first is older than several queues are.</summary>
    internal static string EventPart(int queue) => queue == 0 ? "event" : string.Create(CultureInfo.InvariantCulture, $"event{queue}");

    /// <summary>The name of a ring's doorbell.</summary>
    internal static string KickPart(int ring) => string.Create(CultureInfo.InvariantCulture, $"kick{ring}");

    /// <summary>What the descriptor store keeps, the record first; what keeps a session is put when there is one.</summary>
    internal IReadOnlyList<NamedDescriptor> StoredDescriptors =>
    [
        new(StoreNames.OfBinding(Id, "record"), RecordFile!.Descriptor),
        new(StoreNames.OfBinding(Id, "memory"), Memory!.Descriptor),
        new(StoreNames.OfBinding(Id, "status"), Status!.Descriptor),
        .. Events.Select((descriptor, queue) => new NamedDescriptor(StoreNames.OfBinding(Id, EventPart(queue)), descriptor.Descriptor)),
        .. Kicks.Select((descriptor, ring) => new NamedDescriptor(StoreNames.OfBinding(Id, KickPart(ring)), descriptor.Descriptor)),
        new(StoreNames.OfBinding(Id, "holder"), Holder!.Descriptor),
    ];

    /// <summary>Gives it the events and doorbells of its queues, each made of its name in the store.</summary>
    internal void AddQueues(Func<string, EventFd> make)
    {
        int rings = Record.Grant.RingsPerQueue();
        for (int queue = 0; queue < Record.Grant.QueueCount(); queue++)
        {
            Events.Add(make(EventPart(queue)));
            for (int ring = queue * rings; ring < (queue + 1) * rings; ring++)
            {
                Kicks.Add(make(KickPart(ring)));
            }
        }
    }

    /// <summary>
    /// Whether its rings go on when its device's session is lost. A block device completes requests in any order unless it was told not to:
    /// which ones it had done, nobody knows afterwards.
    /// </summary>
    internal bool Resumes => Device.SessionsResume && (Record.Grant is Grant || (Record.Grant.Features() & VirtioFeatures.InOrder) != 0);

    /// <summary>Counts an access that the IOMMU has blocked. Returns how many there were.</summary>
    internal long CountDmaFault() => Interlocked.Increment(ref _dmaFaults);

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
        Mac = (Record.Grant as Grant)?.Mac,
        Address = (Record.Grant as Grant)?.Address,
        Area = (Record.Grant as StorageGrant)?.Area,
        Access = (Record.Grant as StorageGrant)?.Access,
        QueuePairs = Record.Grant.QueueCount(),
        MemoryLength = Record.Grant.Memory.Length,
        PageSize = Record.Grant.Memory.PageSize,
        Rate = (Record.Grant as Grant)?.Rate,
        LinkUp = Session is not null,
        DmaFaults = Interlocked.Read(ref _dmaFaults),
        BoundAt = Record.BoundAt,
    };

    /// <summary>What a revocation takes.</summary>
    internal IReadOnlyList<RepossessionEntry> Repossession(long now)
    {
        BindingGrant grant = Record.Grant;
        List<RepossessionEntry> vector =
        [
            new(ResourceKind.VirtualFunction, (ulong)grant.VirtualFunction, 1, now),
            new(ResourceKind.QueuePairs, 0, (ulong)grant.QueueCount(), now),
            new(ResourceKind.QueueMemory, 0, (ulong)grant.Memory.Length, now),
        ];
        if (grant is Grant nic)
        {
            vector.Add(new RepossessionEntry(ResourceKind.MacAddress, nic.Mac.Value, 1, now));
            vector.Add(new RepossessionEntry(ResourceKind.Ipv4Address, nic.Address.Address.Value, (ulong)nic.Address.PrefixLength, now));
            if (nic.Rate is { } rate)
            {
                vector.Add(new RepossessionEntry(ResourceKind.Rate, (ulong)rate.BitsPerSecond, (ulong)rate.BurstBytes, now));
            }
        }
        else if (grant is StorageGrant storage)
        {
            vector.Add(new RepossessionEntry(ResourceKind.StorageArea, 0, (ulong)storage.BlockCount, now));
        }

        return vector;
    }

    /// <summary>Closes all descriptors.</summary>
    internal void Close()
    {
        Session?.Dispose();
        RecordFile?.Dispose();
        Memory?.Dispose();
        Status?.Dispose();
        Events.ForEach(static queueEvent => queueEvent.Dispose());
        Kicks.ForEach(static kick => kick.Dispose());
        Holder?.Dispose();
    }
}
