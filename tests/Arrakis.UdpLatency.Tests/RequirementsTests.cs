using Arrakis.UdpLatency.Machine;

namespace Arrakis.UdpLatency.Tests;

public sealed class RequirementsTests
{
    [Fact]
    public void Without_root_it_says_that_root_is_missing_and_what_needs_it()
    {
        string missing = Assert.Single(Requirements.Missing([], isRoot: false));

        Assert.StartsWith("Root: ", missing, StringComparison.Ordinal);
        Assert.Contains("sudo", missing, StringComparison.Ordinal);
    }

    [Fact]
    public void A_core_that_is_not_there_is_named() =>
        Assert.StartsWith("Core 1000: ", Assert.Single(Requirements.Missing([1000], isRoot: true)), StringComparison.Ordinal);
}
