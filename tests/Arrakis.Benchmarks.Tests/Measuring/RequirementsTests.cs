using Arrakis.Measuring.Machine;
using Arrakis.Measuring.Sessions;

namespace Arrakis.Benchmarks.Tests.Measuring;

public sealed class RequirementsTests
{
    private static readonly SessionNeeds s_nothing = new() { Cores = [], CoreOptions = "--core", HugePages = 0 };

    [Fact]
    public void Without_root_it_says_that_root_is_missing_and_what_needs_it()
    {
        string missing = Assert.Single(Requirements.Missing(s_nothing, isRoot: false));

        Assert.StartsWith("Root: ", missing, StringComparison.Ordinal);
        Assert.Contains("sudo", missing, StringComparison.Ordinal);
    }

    [Fact]
    public void A_core_that_is_not_there_is_named_and_how_to_choose_another()
    {
        string missing = Assert.Single(Requirements.Missing(s_nothing with { Cores = [1000] }, isRoot: true));

        Assert.StartsWith("Core 1000: ", missing, StringComparison.Ordinal);
        Assert.EndsWith("Name others with --core.", missing, StringComparison.Ordinal);
    }

    [Fact]
    public void A_program_that_is_not_there_is_named_with_its_package() =>
        Assert.Equal(
            "The program no-such-program: install its-package (scripts/setup does).",
            Assert.Single(Requirements.Missing(s_nothing with { Programs = [new RequiredProgram("no-such-program", "its-package")] }, isRoot: true)));

    [Fact]
    public void What_a_measurement_beside_dpdk_needs_is_here() =>
        Assert.Empty(Requirements.Missing(s_nothing with { Programs = SessionNeeds.Dpdk, HasUplink = true, Cores = [0] }, isRoot: true));
}
