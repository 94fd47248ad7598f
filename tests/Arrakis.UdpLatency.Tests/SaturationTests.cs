using Arrakis.Measuring.Machine;
using Arrakis.UdpLatency.Echo;

namespace Arrakis.UdpLatency.Tests;

public sealed class SaturationTests
{
    private static readonly MachineState s_close = new(120, 120);
    private static readonly MachineState s_far = new(500, 500);

    private readonly Saturation _saturation = new();

    [Fact]
    public void It_is_that_of_the_slower_server_in_the_machines_present_state()
    {
        _saturation.Add("native", s_close, 4_000_000);
        _saturation.Add("dpdk", s_close, 4_500_000);
        _saturation.Add("native", s_far, 2_500_000);
        _saturation.Add("dpdk", s_far, 2_000_000);

        Assert.Equal((4_000_000.0, 2_000_000.0), (_saturation.At(115), _saturation.At(480)));
    }

    [Fact]
    public void Of_several_runs_it_is_the_median()
    {
        _saturation.Add("native", s_close, 1);
        _saturation.Add("native", s_close, 4_000_000);
        _saturation.Add("native", s_close, 4_100_000);

        Assert.Equal(4_000_000, _saturation.At(120));
    }

    [Fact]
    public void A_run_in_which_the_machine_changed_shows_no_states_saturation()
    {
        _saturation.Add("native", new MachineState(120, 500), 3_000_000);
        _saturation.Add("native", s_close, 4_000_000);

        Assert.Equal(4_000_000, _saturation.At(120));
    }

    [Fact]
    public void In_a_state_that_was_not_seen_the_slower_server_counts()
    {
        _saturation.Add("native", s_close, 4_000_000);
        _saturation.Add("dpdk", s_close, 4_500_000);

        Assert.Equal(4_000_000, _saturation.At(500));
    }

    [Fact]
    public void Before_a_run_it_is_not_known() => Assert.Throws<InvalidOperationException>(() => _saturation.At(120));
}
