using Arrakis.Native.Memory;
using Tmds.Linux;

namespace Arrakis.Native.Tests;

public sealed unsafe class MemoryMappingTests
{
    private const int Aborted = 128 + 6;

    [Theory]
    [InlineData(PagePreference.BaseOnly, MappingAccess.ReadWrite)]
    [InlineData(PagePreference.BaseOnly, MappingAccess.Read)]
    [InlineData(PagePreference.PreferHuge, MappingAccess.ReadWrite)]
    [InlineData(PagePreference.PreferHuge, MappingAccess.Read)]
    public void A_mapping_of_a_truncated_file_reads_zeros_and_says_so(PagePreference preference, MappingAccess access)
    {
        using MemoryFile file = MemoryFile.Create("test", 8192, preference);
        using MemoryMapping writer = MemoryMapping.Map(file.Descriptor, 0, file.Length, MappingAccess.ReadWrite);
        using MemoryMapping mapping = MemoryMapping.Map(file.Descriptor, 0, file.Length, access);
        writer.Start[5000] = 42;
        Assert.Equal(42, Volatile.Read(ref mapping.Start[5000]));
        Assert.False(mapping.IsFaulted);

        file.Truncate(0);

        Assert.Equal(0, Volatile.Read(ref mapping.Start[5000]));
        Assert.True(mapping.IsFaulted);
        Assert.False(writer.IsFaulted, "Nobody touched the other mapping.");
        writer.Start[0] = 1;
        Assert.True(writer.IsFaulted);
        Assert.Equal(0, Volatile.Read(ref mapping.Start[0]));
    }

    [Fact]
    public void Only_the_mapping_of_the_truncated_file_faults()
    {
        var files = new MemoryFile[20];
        var mappings = new MemoryMapping[20];
        try
        {
            for (int i = 0; i < files.Length; i++)
            {
                files[i] = MemoryFile.Create("test", 4096 * (i + 1), PagePreference.BaseOnly);
                mappings[i] = MemoryMapping.Map(files[i].Descriptor, 0, files[i].Length, MappingAccess.ReadWrite);
                new Span<byte>(mappings[i].Start, (int)mappings[i].Length).Fill((byte)(i + 1));
            }

            for (int i = 1; i < files.Length; i += 2)
            {
                files[i].Truncate(0);
            }

            for (int i = 0; i < files.Length; i++)
            {
                byte expected = i % 2 == 0 ? (byte)(i + 1) : (byte)0;
                Assert.Equal(expected, Volatile.Read(ref mappings[i].Start[mappings[i].Length - 1]));
                Assert.Equal(expected, Volatile.Read(ref mappings[i].Start[0]));
                Assert.Equal(i % 2 == 1, mappings[i].IsFaulted);
            }
        }
        finally
        {
            Array.ForEach(mappings, mapping => mapping?.Dispose());
            Array.ForEach(files, file => file?.Dispose());
        }
    }

    [Fact]
    public void A_tail_that_is_cut_off_faults_the_whole_mapping()
    {
        using MemoryFile file = MemoryFile.Create("test", 8192, PagePreference.BaseOnly);
        using MemoryMapping mapping = MemoryMapping.Map(file.Descriptor, 0, 8192, MappingAccess.ReadWrite);
        mapping.Start[0] = 5;
        file.Truncate(4096);
        Assert.Equal(5, Volatile.Read(ref mapping.Start[0]));
        Assert.False(mapping.IsFaulted);
        Assert.Equal(0, Volatile.Read(ref mapping.Start[4096]));
        Assert.True(mapping.IsFaulted);
        Assert.Equal(0, Volatile.Read(ref mapping.Start[0]));
    }

    [Fact]
    public void Guard_slots_are_limited_and_come_back()
    {
        using MemoryFile file = MemoryFile.Create("test", 4096, PagePreference.BaseOnly);
        for (int round = 0; round < 2; round++)
        {
            List<MemoryMapping> mappings = [];
            try
            {
                LinuxException error = Assert.Throws<LinuxException>(() =>
                {
                    while (mappings.Count < 5000)
                    {
                        mappings.Add(MemoryMapping.Map(file.Descriptor, 0, 4096, MappingAccess.Read));
                    }
                });
                Assert.Equal(LibC.ENOSPC, error.Errno);
                Assert.InRange(mappings.Count, 1000, 1024);
            }
            finally
            {
                mappings.ForEach(mapping => mapping.Dispose());
            }
        }
    }

    [Fact]
    public void Pollers_go_on_over_truncated_memory_under_constant_collection()
    {
        using var stop = new CancellationTokenSource();
        Thread[] load =
        [
            .. Enumerable.Range(0, 2).Select(index => new Thread(() =>
            {
                object?[] kept = new object?[1000];
                for (int i = 0; !stop.IsCancellationRequested; i++)
                {
                    kept[i % kept.Length] = new byte[500 + index];
                    if (i % 5000 == 0)
                    {
                        GC.Collect(i % 3);
                    }
                }
            })),
        ];
        Array.ForEach(load, thread => thread.Start());
        try
        {
            for (int round = 0; round < 100; round++)
            {
                using MemoryFile file = MemoryFile.Create("test", 16 * 4096, PagePreference.BaseOnly);
                using MemoryMapping mapping = MemoryMapping.Map(file.Descriptor, 0, file.Length, MappingAccess.ReadWrite);
                var poller = new Thread(() =>
                {
                    long sum = 0;
                    for (long i = 0; !mapping.IsFaulted; i++)
                    {
                        sum += Volatile.Read(ref mapping.Start[i * 4096 % mapping.Length]);
                        mapping.Start[i * 64 % mapping.Length] = 1;
                    }
                });
                poller.Start();
                Thread.Sleep(round % 3);
                file.Truncate(0);
                Assert.True(poller.Join(30_000), "The poller did not see the fault.");
            }
        }
        finally
        {
            stop.Cancel();
            Array.ForEach(load, thread => thread.Join());
        }
    }

    [Fact]
    public void Slots_that_change_hands_do_not_disturb_a_fault_elsewhere()
    {
        using var stop = new CancellationTokenSource();
        using MemoryFile shared = MemoryFile.Create("test", 64 * 4096, PagePreference.BaseOnly);
        var churn = new Thread(() =>
        {
            for (int i = 0; !stop.IsCancellationRequested; i++)
            {
                MemoryMapping.Map(shared.Descriptor, 0, (1 + i % 64) * 4096, MappingAccess.Read).Dispose();
            }
        });
        churn.Start();
        try
        {
            using MemoryFile kept = MemoryFile.Create("test", 4096, PagePreference.BaseOnly);
            using MemoryMapping witness = MemoryMapping.Map(kept.Descriptor, 0, 4096, MappingAccess.ReadWrite);
            witness.Start[0] = 77;
            for (int round = 0; round < 2000; round++)
            {
                using MemoryFile file = MemoryFile.Create("test", 4096, PagePreference.BaseOnly);
                using MemoryMapping mapping = MemoryMapping.Map(file.Descriptor, 0, 4096, MappingAccess.ReadWrite);
                file.Truncate(0);
                Assert.Equal(0, Volatile.Read(ref mapping.Start[100]));
                Assert.True(mapping.IsFaulted);
                Assert.Equal(77, Volatile.Read(ref witness.Start[0]));
            }
        }
        finally
        {
            stop.Cancel();
            churn.Join();
        }
    }

    [Fact]
    public void A_fault_outside_guarded_memory_still_ends_the_process()
    {
        (int exitCode, string output) = ChildProcess.Run("sigbus-unguarded");
        Assert.Contains("touching", output, StringComparison.Ordinal);
        Assert.Contains("AccessViolationException", output, StringComparison.Ordinal); // The runtime's own report.
        Assert.Equal(Aborted, exitCode);
    }
}
