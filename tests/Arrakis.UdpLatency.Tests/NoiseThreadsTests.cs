using Arrakis.UdpEchoServer;

namespace Arrakis.UdpLatency.Tests;

public sealed class NoiseThreadsTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    // What the kernel calls them; one that ends meanwhile is none.
    private static int Running => Directory.GetDirectories("/proc/self/task").Count(static task =>
    {
        try
        {
            return File.ReadAllText($"{task}/comm").Trim() is "noise" or "regions";
        }
        catch (IOException)
        {
            return false;
        }
    });

    [Fact]
    public void Allocating_threads_allocate_and_end_at_their_disposal()
    {
        long before = GC.GetTotalAllocatedBytes();
        using (NoiseThreads.Start(NoiseKind.Allocate, CollectorMode.AsConfigured))
        {
            Assert.True(SpinWait.SpinUntil(() => GC.GetTotalAllocatedBytes() - before > 30_000_000, s_patience));
            Assert.Equal(2, Running);
        }

        Assert.True(SpinWait.SpinUntil(static () => Running == 0, s_patience));
    }

    [Fact]
    public void Without_noise_there_is_no_thread()
    {
        using var noise = NoiseThreads.Start(NoiseKind.None, CollectorMode.AsConfigured);

        Assert.Equal(0, Running);
    }
}
