using Arrakis.Contract;
using Arrakis.ControlPlane.Devices;
using Arrakis.ControlPlane.Devices.Nvme;
using Arrakis.ControlPlane.Devices.Vfio;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Hardware.Tests.Support;
using Arrakis.Native.Events;
using Arrakis.Native.Memory;
using Arrakis.Native.Vfio;
using Arrakis.Wire.Nvme;
using Arrakis.Wire.Rings;
using DaemonMemory = Arrakis.ControlPlane.Devices.Nvme.NvmeMemory;
using PciAddress = Arrakis.Native.Pci.PciAddress;

namespace Arrakis.Hardware.Tests.Nvme;

/// <summary>Both planes' parts for an NVMe function, put together without a daemon: the controller is brought up as the daemon does it, and its queues are polled as an application does.</summary>
internal sealed class NvmeBinding : IAsyncDisposable
{
    private const ulong IovaBase = 0x1_0000_0000;
    private const int PageSize = MemoryFile.BasePageSize;

    private readonly DmaDomain _domain;
    private readonly VfioDevice _device;
    private readonly MemoryFile _file;
    private readonly DmaRegion _region;
    private readonly DeviceRegisters _registers = new();
    private readonly DaemonMemory _memory;
    private readonly NvmeController _controller;
    private readonly ushort[] _queues;
    private readonly long _bufferOffset;
    private readonly int _bufferLength;

    private NvmeBinding(
        DmaDomain domain, VfioDevice device, MemoryFile file, StorageGrant grant, DaemonMemory memory, NvmeController controller, IReadOnlyList<EventFd> events, bool usesSgl)
    {
        (_domain, _device, _file, _memory, _controller) = (domain, device, file, memory, controller);
        (_bufferOffset, _bufferLength) = (grant.Memory.BufferOffset, (int)grant.Memory.BufferLength);
        _region = DmaRegion.Map(grant.Memory, file.Descriptor);
        Events = events;
        Controller = controller;
        var bar = new BarRegisters(device, 0);
        int stride = controller.Capabilities.DoorbellStride;
        _queues = [.. grant.Queues.Select(static (_, index) => (ushort)(index + 1))];
        Queues =
        [
            .. grant.Queues.Select((queue, index) => new NvmeQueuePair(
                _region,
                new BlockQueueLayout(queue.Ring, queue.CommandArea, grant.MaxTransferLength),
                Register(bar.FileOffset(NvmeRegister.SubmissionTail(_queues[index], stride))),
                Register(bar.FileOffset(NvmeRegister.CompletionHead(_queues[index], stride))),
                grant.NamespaceId,
                usesSgl)),
        ];
        Geometry = grant;
    }

    public NvmeController Controller { get; }

    public IReadOnlyList<NvmeQueuePair> Queues { get; }

    public IReadOnlyList<EventFd> Events { get; }

    public StorageGrant Geometry { get; }

    /// <summary>Takes a function that VFIO has, and makes queue pairs on it.</summary>
    public static async Task<NvmeBinding> OpenAsync(PciFunction function, VfioInterface way, int size = 64, int queues = 1, int bufferLength = 1 << 20, bool usesSgl = false)
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        (DmaDomain domain, VfioDevice device) = PlaceOf(function, way).Open();
        device.Reset();
        var memory = new DaemonMemory();
        memory.MapInto(domain);
        EventFd[] events = [.. Enumerable.Range(0, queues).Select(static _ => new EventFd())];
        device.Enable();
        device.RouteInterrupts(events);
        var bar = new BarRegisters(device, 0);
        NvmeController asked = await NvmeController.EnableAsync(bar, memory, TimeProvider.System, cancellation);
        BlockGeometry geometry = await asked.DescribeAsync(1, cancellation);

        var layouts = new List<BlockQueueLayout>();
        int transfer = Math.Min(geometry.MaxTransferLength, bufferLength);
        for (int i = 0; i < queues; i++)
        {
            layouts.Add(BlockQueueLayout.At(RingFormat.Nvme, i == 0 ? 0 : layouts[^1].End, size, transfer));
        }

        long offset = (layouts[^1].End + PageSize - 1) / PageSize * PageSize;
        MemoryFile file = MemoryFile.Create("nvme test", offset + bufferLength, PagePreference.BaseOnly);
        using (MemoryMapping mapping = MemoryMapping.Map(file.Descriptor, 0, file.Length, MappingAccess.ReadWrite))
        {
            domain.Map(mapping, new Native.Vfio.Iova(IovaBase));
        }

        var grant = new StorageGrant
        {
            BindingId = 1,
            Generation = 1,
            Device = "nvme0",
            VirtualFunction = 0,
            Memory = new MemoryGrant(file.Length, PageSize, IovaBase, offset, bufferLength, PageSize),
            Area = "test",
            Access = AreaAccess.ReadWrite,
            BlockSize = geometry.BlockSize,
            BlockCount = geometry.BlockCount,
            Extents = [new BlockExtent(0, geometry.BlockCount)],
            Capabilities = geometry.Capabilities,
            MaxTransferLength = transfer,
            NamespaceId = geometry.NamespaceId,
            Queues = [.. layouts.Select(static layout => new BlockQueueGrant(layout.Ring, layout.CommandArea, 3))],
        };
        NvmeController controller = await NvmeDriver.SetUpAsync(bar, memory, grant, TimeProvider.System, cancellation);
        return new NvmeBinding(domain, device, file, grant, memory, controller, events, usesSgl);
    }

    /// <summary>Where VFIO has a function.</summary>
    public static FunctionPlace PlaceOf(PciFunction function, VfioInterface way)
    {
        string? name = way == VfioInterface.Cdev ? Path.GetFileName(Assert.Single(Directory.GetDirectories(Path.Combine(function.Folder, "vfio-dev")))) : null;
        return new FunctionPlace(PciAddress.Parse(function.Address), way, function.IommuGroup!.Value, name is null ? null : $"/dev/vfio/devices/{name}");
    }

    /// <summary>Bytes of the buffers.</summary>
    public unsafe Span<byte> Bytes(int offset, int length) => new(_region.At(_bufferOffset + offset, length), length);

    /// <summary>A read or write of whole blocks at a place in the buffers.</summary>
    public BlockCommand Transfer(int tag, BlockOperation operation, long block, int length, int offset, bool durable = false) =>
        new((ushort)tag, operation, durable, (ulong)block, (uint)(length / Geometry.BlockSize), _bufferOffset + offset, length);

    /// <summary>A command without data.</summary>
    public static BlockCommand Other(int tag, BlockOperation operation, long block = 0, uint blocks = 0) => new((ushort)tag, operation, false, (ulong)block, blocks, 0, 0);

    /// <summary>Does commands, as many at once as the queue takes, and returns how each ended, by tag.</summary>
    public BlockCompletion[] Do(params BlockCommand[] commands) => Do(0, commands);

    /// <summary>The same on a queue of several.</summary>
    public BlockCompletion[] Do(int queue, BlockCommand[] commands)
    {
        NvmeQueuePair pair = Queues[queue];
        var done = new Dictionary<ushort, BlockCompletion>();
        var completions = new BlockCompletion[64];
        ReadOnlySpan<BlockCommand> left = commands;
        long start = TimeProvider.System.GetTimestamp();
        while (done.Count < commands.Length)
        {
            left = left[pair.Submit(left)..];
            pair.Publish();
            int count = pair.TakeCompleted(completions);
            foreach (BlockCompletion completion in completions.AsSpan(0, count))
            {
                done.Add(completion.Tag, completion);
            }

            Assert.True(TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromSeconds(60), $"{done.Count} of {commands.Length} commands were completed.");
            if (count == 0)
            {
                Thread.Yield(); // The emulated device works on the same two processors.
            }
        }

        return [.. commands.Select(command => done[command.Tag])];
    }

    /// <summary>Does commands that must succeed.</summary>
    public void DoWell(params BlockCommand[] commands) => Assert.All(Do(commands), static completion => Assert.Equal(BlockStatus.Success, completion.Status));

    /// <summary>Writes a pattern over a range of blocks, by transfers of all lengths and at all kinds of places in the buffers.</summary>
    public void WritePattern(DiskPattern pattern) => ForEachPiece(pattern, (piece, offset) =>
    {
        pattern.Fill(Bytes(offset, piece.Length), piece.Offset);
        DoWell(Transfer(0, BlockOperation.Write, piece.Offset / Geometry.BlockSize, piece.Length, offset));
    });

    /// <summary>Reads a range of blocks and compares it with a pattern.</summary>
    public void CheckPattern(DiskPattern pattern) => ForEachPiece(pattern, (piece, offset) =>
    {
        Bytes(offset, piece.Length).Clear();
        DoWell(Transfer(0, BlockOperation.Read, piece.Offset / Geometry.BlockSize, piece.Length, offset));
        pattern.Check(Bytes(offset, piece.Length), piece.Offset);
    });

    public async ValueTask DisposeAsync()
    {
        foreach (ushort queue in _queues)
        {
            await _controller.DeleteQueuePairAsync(queue, CancellationToken.None);
        }

        await _controller.DisableAsync(CancellationToken.None);
        _registers.Dispose();
        _region.Dispose();
        _device.Dispose();
        _domain.Dispose();
        _memory.Dispose();
        _file.Dispose();
        foreach (EventFd one in Events)
        {
            one.Dispose();
        }
    }

    private void ForEachPiece(DiskPattern pattern, Action<(long Offset, int Length), int> act)
    {
        var random = new Random(5);
        int block = Geometry.BlockSize;
        for (long done = 0; done < pattern.Length;)
        {
            int offset = random.Next(4) * 512 + random.Next(4) * PageSize;
            int most = (int)Math.Min(Math.Min(Geometry.MaxTransferLength, _bufferLength - offset), pattern.Length - done);
            int length = random.Next(3) switch
            {
                0 => most,
                1 => Math.Min(most, 2 * PageSize),
                _ => random.Next(most / block) * block + block,
            };
            act((pattern.Start + done, length), offset);
            done += length;
        }
    }

    private Doorbell Register(long fileOffset) => new(_registers.Map(new DoorbellRegister(fileOffset, sizeof(uint)), 3, _device.Descriptor), null);
}
