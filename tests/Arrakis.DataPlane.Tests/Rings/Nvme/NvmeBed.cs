using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Native.Memory;
using Arrakis.TestBed.Nvme;
using Arrakis.Wire.Rings;

namespace Arrakis.DataPlane.Tests.Rings.Nvme;

/// <summary>An NVMe queue pair, the controller behind it, and buffers; nothing is mapped after the last buffer.</summary>
internal sealed unsafe class NvmeBed : IDisposable
{
    public const ulong IovaBase = 0x1_0000_0000;
    public const int BlockSize = 512;
    public const int PageSize = 4096;

    private readonly MemoryFile _file;
    private readonly MemoryFile _registerFile = MemoryFile.Create("test nvme registers", PageSize, PagePreference.BaseOnly);
    private readonly MemoryMapping _registers;
    private readonly DmaRegion _region;
    private readonly byte* _start;

    /// <summary>Makes it.</summary>
    /// <param name="size">Entries of each queue.</param>
    /// <param name="bufferLength">Bytes of buffers, in all; whole pages.</param>
    /// <param name="maxTransfer">The most bytes of one request.</param>
    /// <param name="usesSgl">Whether the controller takes SGL descriptors.</param>
    /// <param name="blocks">Blocks of the namespace.</param>
    public NvmeBed(int size = 8, int bufferLength = 64 * PageSize, int maxTransfer = 128 << 10, bool usesSgl = false, long blocks = 1 << 20)
    {
        var layout = BlockQueueLayout.At(RingFormat.Nvme, 0, size, maxTransfer);
        BufferOffset = (layout.End + PageSize - 1) / PageSize * PageSize;
        long length = BufferOffset + bufferLength;
        _file = MemoryFile.Create("test nvme", length, PagePreference.BaseOnly);
        _region = DmaRegion.Map(new MemoryGrant(length, PageSize, IovaBase, BufferOffset, bufferLength, PageSize), _file.Descriptor);
        _start = _region.At(0, length);
        _registers = MemoryMapping.Map(_registerFile.Descriptor, 0, PageSize, MappingAccess.ReadWrite);
        Pair = new NvmeQueuePair(
            _region, layout, new Doorbell(new DeviceRegister(_registers.Start + 8, 4, 0), null), new Doorbell(new DeviceRegister(_registers.Start + 12, 4, 0), null), NvmeNamespace.Id, usesSgl);
        Device = new NvmeDeviceQueue(
            _start + layout.Ring.DescriptorArea, _start + layout.Ring.DeviceArea, size, (uint*)(_registers.Start + 8), (uint*)(_registers.Start + 12));
        Memory = new NvmeMemory(_start, length, IovaBase);
        Namespace = new NvmeNamespace(BlockSize, blocks);
        Completion = layout.Ring.DeviceArea;
    }

    public NvmeQueuePair Pair { get; }

    public NvmeDeviceQueue Device { get; }

    public NvmeMemory Memory { get; }

    public NvmeNamespace Namespace { get; }

    /// <summary>Where buffers begin in queue memory.</summary>
    public long BufferOffset { get; }

    /// <summary>Where the completion queue begins in queue memory.</summary>
    public long Completion { get; }

    /// <summary>What the driver has written into the tail doorbell.</summary>
    public uint Tail => _registers.LoadUInt32(8);

    /// <summary>What the driver has written into the head doorbell.</summary>
    public uint Head => _registers.LoadUInt32(12);

    /// <summary>Bytes of the buffers.</summary>
    public Span<byte> Bytes(long offset, int length) => new(_region.At(BufferOffset + offset, length), length);

    /// <summary>A read or write of blocks, at a place in the buffers.</summary>
    public BlockCommand Transfer(ushort tag, BlockOperation operation, ulong block, int blocks, long offset, bool durable = false) =>
        new(tag, operation, durable, block, (uint)blocks, BufferOffset + offset, blocks * BlockSize);

    /// <summary>A command without data.</summary>
    public static BlockCommand Other(ushort tag, BlockOperation operation, ulong block = 0, uint blocks = 0) => new(tag, operation, false, block, blocks, 0, 0);

    /// <summary>Submits one command and shows it.</summary>
    public void Start(BlockCommand command)
    {
        Assert.Equal(1, Pair.Submit([command]));
        Pair.Publish();
    }

    /// <summary>The controller does all that it was told of, in its order. Returns how many.</summary>
    public int Serve()
    {
        int count = 0;
        for (; Device.TryFetch(out var command); count++)
        {
            Device.Complete(command.Id, Namespace.Execute(command, Memory));
        }

        return count;
    }

    /// <summary>Does one command and returns how it ended.</summary>
    public BlockCompletion Do(BlockCommand command)
    {
        Start(command);
        Assert.Equal(1, Serve());
        var completions = new BlockCompletion[2];
        Assert.Equal(1, Pair.TakeCompleted(completions));
        return completions[0];
    }

    public void Dispose()
    {
        _registers.Dispose();
        _registerFile.Dispose();
        _region.Dispose();
        _file.Dispose();
    }
}
