using Arrakis.TestBed.Machine;

namespace Arrakis.UdpLatency.Tests;

public sealed class TeardownTests
{
    [Fact]
    public async Task Steps_are_undone_last_first_and_once()
    {
        var undone = new List<int>();
        var teardown = new Teardown();
        teardown.Add("first", () => undone.Add(1));
        teardown.Add("second", () => undone.Add(2));

        await teardown.RunAsync();
        await teardown.RunAsync();

        Assert.Equal([2, 1], undone);
    }

    [Fact]
    public async Task A_step_that_fails_is_reported_and_the_others_are_undone()
    {
        bool undone = false;
        var teardown = new Teardown();
        teardown.Add("first", () => undone = true);
        teardown.Add("delete x", () => throw new InvalidOperationException("it is busy"));

        await teardown.RunAsync();

        Assert.True(undone);
        Assert.Equal(["delete x: it is busy"], teardown.Failures);
    }
}
