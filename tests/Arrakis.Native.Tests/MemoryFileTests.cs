using System.Diagnostics;
using Arrakis.Native.Memory;
using Tmds.Linux;

namespace Arrakis.Native.Tests;

public sealed class MemoryFileTests
{
    [Theory]
    [InlineData(PagePreference.BaseOnly)]
    [InlineData(PagePreference.PreferHuge)]
    public void A_sealed_file_can_be_truncated_but_neither_grown_nor_sealed_further(PagePreference preference)
    {
        using MemoryFile file = MemoryFile.Create("test", 100_000, preference);
        file.AddSeals(MemorySeals.Grow | MemorySeals.Seal);

        // What an application holds is a duplicate; it fares no better.
        using var held = new MemoryFile(file.Descriptor.Duplicate(), file.Length, file.PageSize);
        foreach (MemorySeals seal in new[] { MemorySeals.Shrink, MemorySeals.Write, MemorySeals.Grow, MemorySeals.Seal })
        {
            Assert.Equal(LibC.EPERM, Assert.Throws<LinuxException>(() => held.AddSeals(seal)).Errno);
        }

        Assert.Equal(LibC.EPERM, Assert.Throws<LinuxException>(() => held.Truncate(file.Length + file.PageSize)).Errno);
        file.Truncate(0);
        Assert.Equal(LibC.EPERM, Assert.Throws<LinuxException>(() => held.Truncate(file.Length)).Errno);
    }

    [Fact]
    public void A_length_is_rounded_up_to_whole_pages()
    {
        using MemoryFile small = MemoryFile.Create("test", 1, PagePreference.BaseOnly);
        using MemoryFile huge = MemoryFile.Create("test", 1, PagePreference.PreferHuge);
        Assert.Equal((4096L, 4096), (small.Length, small.PageSize));
        Assert.Equal((2097152L, 2097152), (huge.Length, huge.PageSize));
        Assert.Throws<ArgumentOutOfRangeException>(() => MemoryFile.Create("test", 0, PagePreference.BaseOnly));
        Assert.Throws<OverflowException>(() => MemoryFile.Create("test", long.MaxValue, PagePreference.BaseOnly));
    }

    [Fact]
    public void Hugepages_are_taken_at_once_and_truncation_returns_them_at_once() =>
        Eventually(() =>
        {
            int before = HugePages.Free;
            using MemoryFile file = MemoryFile.Create("test", 4 * MemoryFile.HugePageSize, PagePreference.PreferHuge);
            file.AddSeals(MemorySeals.Grow | MemorySeals.Seal);
            using MemoryMapping mapping = MemoryMapping.Map(file.Descriptor, 0, file.Length, MappingAccess.ReadWrite);
            int during = HugePages.Free;
            file.Truncate(0);
            return (file.PageSize, during, HugePages.Free) == (MemoryFile.HugePageSize, before - 4, before);
        });

    [Fact]
    public void Without_enough_hugepages_base_pages_are_taken_and_no_hugepage_is_lost() =>
        Eventually(() =>
        {
            int before = HugePages.Free;
            using MemoryFile file = MemoryFile.Create("test", (HugePages.Total + 1L) * MemoryFile.HugePageSize, PagePreference.PreferHuge);
            return (file.PageSize, HugePages.Free) == (MemoryFile.BasePageSize, before);
        });

    [Fact]
    public void A_hole_reads_as_zero_and_a_truncated_file_is_a_short_read()
    {
        using MemoryFile file = MemoryFile.Create("test", 8192, PagePreference.BaseOnly);
        using (MemoryMapping mapping = MemoryMapping.Map(file.Descriptor, 0, 8192, MappingAccess.ReadWrite))
        {
            Fill(mapping, 7);
        }

        byte[] bytes = new byte[8192];
        Assert.Equal(8192, file.Read(bytes, 0));
        Assert.All(bytes, value => Assert.Equal(7, value));
        file.PunchHole(4096, 4096);
        Assert.Equal(8192, file.Read(bytes, 0));
        Assert.Equal((7, 0), (bytes[4095], bytes[4096]));
        file.Truncate(4096);
        Assert.Equal(4096, file.Read(bytes, 0));
        Assert.Equal(0, file.Read(bytes, 5000));
    }

    [Fact]
    public void A_read_only_copy_can_be_mapped_for_reading_only()
    {
        using MemoryFile file = MemoryFile.Create("test", 4096, PagePreference.BaseOnly);
        file.SetMode(0x180); // 0600
        file.AddSeals(MemorySeals.Grow | MemorySeals.Shrink | MemorySeals.Seal);
        using Descriptor copy = file.OpenReadOnlyCopy();
        using MemoryMapping writable = MemoryMapping.Map(file.Descriptor, 0, 4096, MappingAccess.ReadWrite);
        using MemoryMapping readable = MemoryMapping.Map(copy, 0, 4096, MappingAccess.Read);
        Fill(writable, 9);
        Assert.Equal(9, First(readable));
        Assert.Equal(LibC.EACCES, Assert.Throws<LinuxException>(() => MemoryMapping.Map(copy, 0, 4096, MappingAccess.ReadWrite)).Errno);
        using var held = new MemoryFile(copy.Duplicate(), 4096, 4096);
        Assert.Throws<LinuxException>(() => held.Truncate(0));
    }

    [Fact]
    public void Allocation_survives_the_signals_of_a_collecting_runtime()
    {
        AssertAllocated(); // Compiled before collections start, as compiling starves between them.
        int collectionsBefore = GC.CollectionCount(0);
        using var done = new CancellationTokenSource();
        var collector = new Thread(() =>
        {
            while (!done.IsCancellationRequested)
            {
                GC.Collect(0);
                // Back to back, collections leave other threads no time at all.
                long pauseEnds = Stopwatch.GetTimestamp() + (Stopwatch.Frequency / 20_000);
                while (Stopwatch.GetTimestamp() < pauseEnds)
                {
                    Thread.SpinWait(10);
                }
            }
        });
        collector.Start();
        try
        {
            for (int i = 0; i < 30; i++)
            {
                AssertAllocated();
            }
        }
        finally
        {
            done.Cancel();
            collector.Join();
        }

        Assert.True(GC.CollectionCount(0) - collectionsBefore > 30, "The runtime did not collect during the allocations.");

        static void AssertAllocated()
        {
            using MemoryFile file = MemoryFile.Create("test", 32 << 20, PagePreference.BaseOnly);
            Assert.Equal(32 << 20, file.Length);
        }
    }

    [Fact]
    public void More_memory_than_the_machine_has_is_refused_before_the_kernel_kills_for_it() =>
        OpenDescriptors.AssertNoneLeft(() =>
            Assert.Equal(LibC.ENOMEM, Assert.Throws<LinuxException>(() => MemoryFile.Create("test", 1L << 46, PagePreference.PreferHuge)).Errno));

    private static unsafe void Fill(MemoryMapping mapping, byte value) => new Span<byte>(mapping.Start, (int)mapping.Length).Fill(value);

    private static unsafe byte First(MemoryMapping mapping) => Volatile.Read(ref mapping.Start[0]);

    // The pool is the machine's: other processes may take or return pages between two looks at it.
    private static void Eventually(Func<bool> condition)
    {
        for (int i = 0; i < 50; i++)
        {
            if (condition())
            {
                return;
            }

            Thread.Sleep(20);
        }

        Assert.Fail($"The pool of hugepages ({HugePages.Free} free of {HugePages.Total}) did not change as it should; reserve some in /proc/sys/vm/nr_hugepages.");
    }
}
