using Arrakis.Native.Memory;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Processes;

namespace Arrakis.Hardware.Tests;

/// <summary>What the library takes from the kernel works on the lab's.</summary>
public sealed class RuntimeTests
{
    private const int KilledBySeccomp = 128 + 31; // SIGSYS

    [Fact]
    public void Truncated_hugepages_go_back_and_read_as_zeros()
    {
        int before = HugePages.Free;
        using MemoryFile file = MemoryFile.Create("lab", 2 * MemoryFile.HugePageSize, PagePreference.PreferHuge);
        file.AddSeals(MemorySeals.Grow | MemorySeals.Seal);
        using MemoryMapping mapping = MemoryMapping.Map(file.Descriptor, 0, file.Length, MappingAccess.ReadWrite);
        mapping.Store(MemoryFile.HugePageSize, 42u);
        Assert.Equal((MemoryFile.HugePageSize, before - 2), (file.PageSize, HugePages.Free));

        file.Truncate(0);

        Assert.Equal(before, HugePages.Free);
        Assert.Equal(0u, mapping.LoadUInt32(MemoryFile.HugePageSize));
        Assert.True(mapping.IsFaulted);
    }

    [Theory]
    [InlineData("seccomp", KilledBySeccomp)]
    [InlineData("seccomp-allowed", 0)]
    public async Task A_thread_under_the_filter_makes_the_allowed_system_calls_only(string what, int code)
    {
        await using ChildProcess child = ChildProcess.Start(what, null, Programs.NativeChild, [what], ChildEnding.Input);

        Assert.Equal("entering", await child.ReadLineAsync(DaemonProcess.Patience, TestContext.Current.CancellationToken));
        Assert.Equal(code, await child.WaitForExitAsync(TestContext.Current.CancellationToken));
    }
}
