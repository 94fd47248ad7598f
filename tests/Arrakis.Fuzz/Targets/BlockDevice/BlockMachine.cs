using Arrakis.Contract;
using Arrakis.Native;
using Arrakis.SoftDevice.Blocks;
using Arrakis.SoftDevice.Polling;
using Arrakis.SoftDevice.Ports.Vf;
using Arrakis.SoftDevice.Rings;
using Arrakis.Wire.Virtio;
using Microsoft.Win32.SafeHandles;

namespace Arrakis.Fuzz.Targets.BlockDevice;

/// <summary>A device with two block functions on one file, polled by whoever has it: one for the hostile driver, one for its neighbour.</summary>
internal sealed class BlockMachine : IDisposable
{
    /// <summary>Bytes of a block: two sectors, so that there are sectors where no block begins.</summary>
    public const int BlockSize = 1024;

    /// <summary>The hostile driver's function.</summary>
    public const int Hostile = 0;

    /// <summary>Its neighbour's.</summary>
    public const int Neighbour = 1;

    private const int FileBlocks = 64;
    private const int Limit = 30_000; // milliseconds; to end a run that hangs

    private static readonly BlockExtent[][] _extents = [[new(8, 8), new(24, 8), new(44, 4)], [new(16, 8), new(40, 4)]];

    private readonly BlockMedium _medium;
    private readonly DeviceCore _core;
    private readonly SafeFileHandle _file;
    private readonly byte[] _fresh = new byte[FileBlocks * BlockSize];
    private readonly byte[] _now = new byte[FileBlocks * BlockSize];
    private bool _mayHostileWrite;

    /// <param name="isDisk">Whether the file is reached as a disk's, rather than mapped.</param>
    public BlockMachine(bool isDisk)
    {
        for (int i = 0; i < _fresh.Length; i++)
        {
            _fresh[i] = IsIn(Hostile, i / BlockSize) ? (byte)(i / 3 % 128) : ForeignBytes.At(i);
        }

        (string path, _medium) = Open(isDisk);
        _file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        File.Delete(path);
        _core = new DeviceCore(0, Clock.Machine, _medium, _extents.Length);
    }

    /// <summary>What the file should hold.</summary>
    public byte[] Content { get; } = new byte[FileBlocks * BlockSize];

    /// <summary>Whether there is a discard.</summary>
    public bool IsDisk => _medium.Disk is not null;

    /// <summary>A function.</summary>
    public BlockPort Port(int function) => _core.Blocks[function];

    /// <summary>The file as it was at first, and both functions with their areas.</summary>
    public void Reset()
    {
        RandomAccess.Write(_file, _fresh, 0);
        _fresh.CopyTo(Content, 0);
        _mayHostileWrite = false;
        for (int function = 0; function < _extents.Length; function++)
        {
            _ = Port(function).TakeFault();
            Port(function).Statistics.Clear();
            Show(function, AreaAccess.ReadWrite);
        }
    }

    /// <summary>Has a function show its area, or with null none.</summary>
    public void Show(int function, AreaAccess? access)
    {
        CheckContent();
        BlockArea? area = access is null ? null : new BlockArea(_extents[function], BlockSize, _medium.Length, access == AreaAccess.Read);
        Await(() => Port(function).TryShow(area));
        CheckContent();
        _mayHostileWrite = Port(Hostile).Area is { IsReadOnly: false };
    }

    /// <summary>Has a function work on a ring.</summary>
    public void Attach(int function, DeviceRing ring, VirtioFeatures features, GuardedMemory memory) =>
        Port(function).Attach(0, new RunningRing(ring, memory.Table, features, null, null, hasDoorbell: false));

    /// <summary>Takes the ring from a function.</summary>
    public void Detach(int function) => Await(() => Port(function).TryDetach(0));

    /// <summary>One round.</summary>
    public bool Poll() => _core.PollOnce();

    /// <summary>Rounds until nothing is left to do.</summary>
    public void Settle() => Await(() => !_core.PollOnce() && _medium.Disk is not { IsBusy: true });

    /// <summary>The bytes of the file where a block of an area is.</summary>
    public Span<byte> BlockOf(int function, int block)
    {
        foreach (BlockExtent extent in _extents[function])
        {
            if (block < extent.Count)
            {
                return Content.AsSpan((int)(extent.Start + block) * BlockSize, BlockSize);
            }

            block -= (int)extent.Count;
        }

        throw new ArgumentOutOfRangeException(nameof(block));
    }

    /// <summary>Blocks of an area.</summary>
    public static int LengthOf(int function) => (int)_extents[function].Sum(static extent => extent.Count);

    /// <summary>Nothing but the hostile driver's own blocks has changed, and these have only what was its own.</summary>
    public void CheckContent()
    {
        _ = RandomAccess.Read(_file, _now, 0);
        if (_mayHostileWrite)
        {
            foreach (BlockExtent extent in _extents[Hostile])
            {
                Span<byte> own = _now.AsSpan((int)extent.Start * BlockSize, (int)extent.Count * BlockSize);
                FuzzTarget.Promise(!ForeignBytes.AreIn(own), "no byte that was not shared gets into the area");
                own.CopyTo(Content.AsSpan((int)extent.Start * BlockSize));
            }
        }

        int changed = _now.AsSpan().CommonPrefixLength(Content);
        FuzzTarget.Promise(changed == Content.Length, $"block {changed / BlockSize}, which the hostile driver may not write, is as its owner left it");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _core.Dispose();
        _medium.Dispose();
        _file.Dispose();
    }

    private static bool IsIn(int function, int block) => Array.Exists(_extents[function], extent => block >= extent.Start && block < extent.Start + extent.Count);

    // Files in memory are reached past the page cache since Linux 6.6; before, those of whatever the machine has for a disk.
    private (string Path, BlockMedium Medium) Open(bool isDisk)
    {
        foreach (string folder in new[] { "/dev/shm", AppContext.BaseDirectory })
        {
            string path = Path.Combine(folder, $"fuzz-{Guid.NewGuid():N}");
            File.WriteAllBytes(path, _fresh);
            try
            {
                return (path, BlockMedium.Open(new BlockOptions(path, BlockSize, _extents.Length, isDisk ? BlockBacking.Disk : BlockBacking.Memory)));
            }
            catch (LinuxException) when (isDisk && folder == "/dev/shm")
            {
                File.Delete(path);
            }
        }

        throw new InvalidOperationException("There is no folder for the file.");
    }

    private void Await(Func<bool> attempt)
    {
        long start = Environment.TickCount64;
        while (!attempt())
        {
            _ = _core.PollOnce();
            FuzzTarget.Promise(Environment.TickCount64 - start < Limit, "what was begun ends");
        }
    }
}
