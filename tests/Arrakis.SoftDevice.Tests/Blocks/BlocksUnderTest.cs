using Arrakis.Contract;
using Arrakis.SoftDevice.Blocks;
using Arrakis.SoftDevice.Polling;
using Arrakis.SoftDevice.Ports.Vf;
using Arrakis.SoftDevice.Rings;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Tests.Blocks;

/// <summary>A block function on a file of its own, and one driver; rounds of polling are the test's own.</summary>
internal sealed class BlocksUnderTest : IDisposable
{
    public const int BlockSize = 512;

    /// <summary>A disk whose requests a thread of the kernel looks for.</summary>
    public const string DiskOfKernelThread = "disk of a kernel thread";

    private const int Limit = 30_000;

    private readonly BlockMedium _medium;
    private readonly DeviceCore _core;

    public BlocksUnderTest(string backing, RingFormat format, int fileBlocks = 256, VirtioFeatures features = VirtioFeatures.None, int dataSize = 16384, string? folder = null)
    {
        // The disk's file is beside the test's program, on whatever the machine has for a disk.
        folder ??= backing == "memory" ? "/dev/shm" : AppContext.BaseDirectory;
        Path = System.IO.Path.Combine(folder, $"blocks-{Guid.NewGuid():N}");
        byte[] content = new byte[fileBlocks * BlockSize];
        new Random(1).NextBytes(content);
        File.WriteAllBytes(Path, content);
        _medium = BlockMedium.Open(new BlockOptions(Path, BlockSize, 1, backing == "memory" ? BlockBacking.Memory : BlockBacking.Disk, backing == DiskOfKernelThread));
        _core = new DeviceCore(0, Clock.Machine, _medium, 1);
        Driver = new BlockDriver(format, dataSize: dataSize);
        Ring = Driver.Attach(features);
        Port.Attach(0, new RunningRing(Ring, Driver.Memory.Table, features, null, null, hasDoorbell: false));
    }

    public static TheoryData<string, RingFormat> Kinds => new()
    {
        { "memory", RingFormat.Split },
        { "memory", RingFormat.Packed },
        { "disk", RingFormat.Split },
        { "disk", RingFormat.Packed },
        { DiskOfKernelThread, RingFormat.Split },
        { DiskOfKernelThread, RingFormat.Packed },
    };

    public static TheoryData<string, RingFormat> Disks => new()
    {
        { "disk", RingFormat.Split },
        { "disk", RingFormat.Packed },
        { DiskOfKernelThread, RingFormat.Split },
        { DiskOfKernelThread, RingFormat.Packed },
    };

    public string Path { get; }

    public BlockDriver Driver { get; }

    public DeviceRing Ring { get; }

    public BlockPort Port => _core.Blocks[0];

    public byte[] Content => File.ReadAllBytes(Path);

    public void Show(bool isReadOnly, params BlockExtent[] extents) =>
        Assert.True(Port.TryShow(new BlockArea(extents, BlockSize, _medium.Length, isReadOnly)));

    public bool Poll() => _core.PollOnce();

    public BlockOutcome Do(VirtioBlockType type, ulong sector, ReadOnlySpan<byte> data = default, int room = 0, RequestShape? shape = null)
    {
        int? slot = Driver.TrySubmit(type, sector, data, room, shape ?? new RequestShape(1));
        Assert.NotNull(slot);
        BlockOutcome outcome = Take();
        Assert.Equal(slot, outcome.Slot);
        return outcome;
    }

    public VirtioBlockStatus Write(ulong sector, ReadOnlySpan<byte> data, RequestShape? shape = null) => Do(VirtioBlockType.Write, sector, data, 0, shape).Status;

    public VirtioBlockStatus Zero(VirtioBlockType type, ulong sector, uint count, uint flags = 0)
    {
        byte[] segment = new byte[VirtioBlockSegment.Length];
        new VirtioBlockSegment(sector, count, flags).Write(segment);
        return Do(type, 0, segment).Status;
    }

    public BlockOutcome Take()
    {
        BlockOutcome outcome = default;
        long start = Environment.TickCount64;
        while (!Driver.TryTake(out outcome))
        {
            _ = Poll();
            Assert.True(Environment.TickCount64 - start < Limit, $"No request came back; the ring: {Ring.Fault}.");
        }

        return outcome;
    }

    public void Dispose()
    {
        while (!Port.TryDetach(0))
        {
            _ = Poll();
        }

        _core.Dispose();
        _medium.Dispose();
        Driver.Dispose();
        File.Delete(Path);
    }
}
