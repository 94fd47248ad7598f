using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Bindings;
using Arrakis.ControlPlane.Devices;
using Arrakis.ControlPlane.Devices.VhostUser;
using Arrakis.ControlPlane.Hosting;
using Arrakis.Native;
using Arrakis.Native.Sockets;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.ControlPlane.Tests.Support;

/// <summary>A block device in this process: its back ends speak vhost-user and move no block, and each step can be made to fail.</summary>
internal sealed class FakeBlockDevice : IBlockDevice
{
    internal const int BlockSize = 4096;
    private const int SectorsPerBlock = BlockSize / VirtioBlockRequest.SectorSize;
    private readonly List<FakeBackEnd> _backEnds = [];

    internal FakeBlockDevice(string name = "disk0", int functions = 4, long blocks = 16 * 256, bool showsAreas = true)
    {
        Options = new SoftBlockDeviceOptions { Name = name, Blocks = new SoftBlockOptions { File = "/none", Functions = functions } };
        FunctionCount = functions;
        ShowsAreas = showsAreas;
        Geometry = new BlockGeometry(BlockSize, blocks, StorageCapabilities.None, BlockQueueLayout.MaxMaxTransferLength);
    }

    public DeviceOptions Options { get; }

    public string Kind => "soft-block";

    public int FunctionCount { get; }

    public bool IsUp => true;

    public int? ProcessId => null;

    public int Restarts => 0;

    public bool ShowsAreas { get; }

    public IReadOnlyList<WholeDisk> WholeDisks { get; init; } = [];

    internal BlockGeometry? Geometry { get; set; }

    /// <summary>Where its catalogue is kept over the end of a plane; null keeps it with the plane.</summary>
    internal string? StateDirectory { get; init; }

    /// <summary>Areas that functions show.</summary>
    internal Dictionary<int, (IReadOnlyList<BlockExtent> Extents, bool IsReadOnly)> Shown { get; } = [];

    /// <summary>Blocks that were zeroed.</summary>
    internal List<BlockExtent> Zeroed { get; } = [];

    /// <summary>Zeroing waits for it.</summary>
    internal Task ZeroGate { get; set; } = Task.CompletedTask;

    /// <summary>Thrown when blocks are to be zeroed.</summary>
    internal Exception? ZeroFault { get; set; }

    /// <summary>Functions that a former holder still has.</summary>
    internal HashSet<int> Quarantined { get; } = [];

    /// <summary>What the next back ends offer.</summary>
    internal VirtioFeatures Features { get; set; } = VirtioFeatures.Version1 | VirtioFeatures.VhostUserProtocolFeatures | VirtioBlockFeatures.BlockSize | VirtioBlockFeatures.Flush;

    /// <summary>What their configuration says; the capacity follows from the area that is shown unless it is set.</summary>
    internal VirtioBlockConfig Config { get; set; } = new() { BlockSize = BlockSize };

    /// <summary>The queues that the next back ends say they have.</summary>
    internal ulong? Queues { get; set; }

    /// <summary>Makes the next back ends misbehave.</summary>
    internal BackEndFault Fault { get; set; }

    /// <summary>The back ends, in the order of their connections.</summary>
    internal IReadOnlyList<FakeBackEnd> BackEnds
    {
        get
        {
            lock (_backEnds)
            {
                return [.. _backEnds];
            }
        }
    }

    public BlockGeometry? GeometryOf(int function) => Geometry;

    public bool IsAvailable(int function) => !Quarantined.Contains(function);

    public Task StartAsync(IDictionary<string, Descriptor> left, CancellationToken cancellation) => Task.CompletedTask;

    public Task WaitUpAsync(CancellationToken cancellation) => Task.CompletedTask;

    public Task<IDeviceSession> OpenSessionAsync(SessionRequest request, SessionContext context, CancellationToken cancellation)
    {
        long blocks = WholeDisks.Count > 0 || !ShowsAreas ? request.Storage.BlockCount : Shown[request.Function].Extents.Sum(static extent => extent.Count);
        VirtioBlockConfig config = Config.Capacity == 0 ? Config with { Capacity = (ulong)(blocks * SectorsPerBlock) } : Config;
        byte[] space = new byte[VirtioBlockConfig.Length];
        config.Write(space);
        (UnixSocket front, UnixSocket back) = UnixSocket.Pair(UnixSocketKind.Stream);
        lock (_backEnds)
        {
            _backEnds.Add(new FakeBackEnd(back, Fault, Features, Queues, space));
        }

        return VhostUserSession.OpenAsync(Options.Name, front, request, context, cancellation);
    }

    public IDeviceSession? AdoptSession(BindingRecord record, IReadOnlyDictionary<string, Descriptor> parts, SessionContext context) =>
        VhostUserSession.Adopt(record.Grant, parts, context);

    public Task ConfigureAreaAsync(int function, IReadOnlyList<BlockExtent> extents, bool readOnly, bool keepCounters, CancellationToken cancellation)
    {
        lock (Shown)
        {
            Shown[function] = (extents, readOnly);
        }

        return Task.CompletedTask;
    }

    public Task ClearAreaAsync(int function, CancellationToken cancellation)
    {
        lock (Shown)
        {
            _ = Shown.Remove(function);
        }

        return Task.CompletedTask;
    }

    public async Task ZeroAsync(IReadOnlyList<BlockExtent> extents, CancellationToken cancellation)
    {
        await ZeroGate.WaitAsync(cancellation);
        if (ZeroFault is { } fault)
        {
            throw fault;
        }

        lock (Zeroed)
        {
            Zeroed.AddRange(extents);
        }
    }

    public Task<IReadOnlyList<BlockCounters>> ReadBlockCountersAsync(CancellationToken cancellation) => Task.FromResult<IReadOnlyList<BlockCounters>>([]);

    public Task StopAsync(bool keep) => Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        foreach (FakeBackEnd backEnd in BackEnds)
        {
            await backEnd.DisposeAsync();
        }
    }
}
