using Arrakis.Contract;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Tests.Blocks;

/// <summary>A disk whose requests a thread of the kernel looks for (IORING_SETUP_SQPOLL), and falls asleep where none come.</summary>
public sealed class DiskOfKernelThreadTests
{
    private const int Block = BlocksUnderTest.BlockSize;
    private static readonly string s_threads = $"/proc/{Environment.ProcessId}/task";

    [Theory]
    [InlineData(RingFormat.Split)]
    [InlineData(RingFormat.Packed)]
    public void Each_kind_of_request_wakes_the_thread_that_fell_asleep(RingFormat format)
    {
        HashSet<string> before = [.. KernelThreads()];
        using var blocks = new BlocksUnderTest(BlocksUnderTest.DiskOfKernelThread, format, features: VirtioBlockFeatures.Flush);
        blocks.Show(false, new BlockExtent(0, 256));
        byte[] expected = blocks.Content;
        byte[] written = [.. Enumerable.Range(0, 8 * Block).Select(static i => (byte)(i * 7))];
        string? thread = null;
        Blocking.Until(() => (thread = KernelThreads().FirstOrDefault(found => !before.Contains(found))) is not null, "The kernel has no thread for the disk.");

        Sleep();
        Assert.Equal(VirtioBlockStatus.Ok, blocks.Write(16, written));
        written.CopyTo(expected, 16 * Block);
        Sleep();
        BlockOutcome read = blocks.Do(VirtioBlockType.Read, 15, room: 10 * Block);
        Assert.Equal(VirtioBlockStatus.Ok, read.Status);
        Assert.Equal(expected[(15 * Block)..(25 * Block)], read.Data);
        Sleep();
        Assert.Equal(VirtioBlockStatus.Ok, blocks.Zero(VirtioBlockType.WriteZeroes, 18, 3));
        expected.AsSpan(18 * Block, 3 * Block).Clear();
        Sleep();
        Assert.Equal(VirtioBlockStatus.Ok, blocks.Do(VirtioBlockType.Flush, 0).Status);
        Assert.Equal(expected, blocks.Content);

        void Sleep() => Blocking.Until(() => IsAsleep(thread!), "The kernel's thread does not fall asleep.");
    }

    private static IEnumerable<string> KernelThreads() => Directory.GetDirectories(s_threads).Where(static thread => Read(thread, "comm").StartsWith("iou-sqp-", StringComparison.Ordinal));

    // While it looks for requests it runs.
    private static bool IsAsleep(string thread)
    {
        string stat = Read(thread, "stat"); // proc_pid_stat(5): the state comes after the name in parentheses.
        return stat.Length != 0 && stat[stat.LastIndexOf(')') + 2] == 'S';
    }

    private static string Read(string thread, string file)
    {
        try
        {
            return File.ReadAllText(Path.Combine(thread, file));
        }
        catch (IOException)
        {
            return ""; // It has ended meanwhile.
        }
    }
}
