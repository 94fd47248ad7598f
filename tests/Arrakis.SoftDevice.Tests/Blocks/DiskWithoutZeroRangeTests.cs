using Arrakis.Contract;
using Arrakis.TestBed.Machine;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Tests.Blocks;

/// <summary>A disk whose file system cannot zero a range (fallocate(2)): ext4 whose files are not made of extents.</summary>
public sealed class DiskWithoutZeroRangeTests : IAsyncLifetime
{
    private const int Block = BlocksUnderTest.BlockSize;
    private const long Length = 32 << 20;

    private readonly string _folder = Directory.CreateTempSubdirectory("arrakis-no-extents-").FullName;
    private bool _isMounted;

    private string Mounted => Path.Combine(_folder, "mounted");

    public async ValueTask InitializeAsync()
    {
        string image = Path.Combine(_folder, "image");
        await using (FileStream file = File.Create(image))
        {
            file.SetLength(Length);
        }

        _ = Directory.CreateDirectory(Mounted);
        await Command.RunAsync("mkfs.ext4", ["-q", "-F", "-O", "^extent,^64bit,^flex_bg,^metadata_csum", image], Cancellation);
        await Command.RunAsync("mount", ["-o", "loop", image, Mounted], Cancellation);
        _isMounted = true;
    }

    public async ValueTask DisposeAsync()
    {
        if (_isMounted)
        {
            await UnmountAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData(RingFormat.Split)]
    [InlineData(RingFormat.Packed)]
    public void Blocks_are_zeroed_all_the_same(RingFormat format)
    {
        const int Blocks = 8192; // More than is written at once.
        using var blocks = new BlocksUnderTest("disk", format, fileBlocks: Blocks, folder: Mounted);
        blocks.Show(false, new BlockExtent(4096, 4096), new BlockExtent(0, 4096));
        byte[] expected = blocks.Content;

        Assert.Equal(VirtioBlockStatus.Ok, blocks.Zero(VirtioBlockType.WriteZeroes, 100, 8000));
        expected.AsSpan((4096 + 100) * Block, (4096 - 100) * Block).Clear();
        expected.AsSpan(0, (8000 - (4096 - 100)) * Block).Clear();
        Assert.Equal(expected, blocks.Content);

        Assert.Equal(VirtioBlockStatus.Ok, blocks.Zero(VirtioBlockType.WriteZeroes, 0, 3));
        expected.AsSpan(4096 * Block, 3 * Block).Clear();
        Assert.Equal(expected, blocks.Content);
    }

    // The kernel lets go of a ring's file some time after the ring is closed.
    private async Task UnmountAsync()
    {
        for (int tries = 100; ; tries--)
        {
            try
            {
                await Command.RunAsync("umount", [Mounted], CancellationToken.None);
                return;
            }
            catch (InvalidOperationException e) when (tries > 0 && e.Message.Contains("busy", StringComparison.Ordinal))
            {
                await Task.Delay(100, CancellationToken.None);
            }
        }
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;
}
