using Arrakis.TestBed.Dpdk;

namespace Arrakis.Benchmarks.Tests.NicThroughput;

public sealed class TestpmdStatisticsTests
{
    private const string PortStatistics = """
        show port stats 0

          ######################## NIC statistics for port 0  ########################
          RX-packets: 27342816   RX-missed: 0          RX-bytes:  1749940224
          RX-errors: 0
          RX-nombuf:  0
          TX-packets: 512        TX-errors: 0          TX-bytes:  32768

          Throughput (since last show)
          Rx-pps:     18302291          Rx-bps:   9370773024
          Tx-pps:          341          Tx-bps:       174592
          ############################################################################
        testpmd>
        """;

    private const string Stopped = """
        stop
        Telling cores to stop...
        Waiting for lcores to finish...

          ---------------------- Forward statistics for port 0  ----------------------
          RX-packets: 17664000       RX-dropped: 0             RX-total: 17664000
          TX-packets: 0              TX-dropped: 0             TX-total: 0
          ----------------------------------------------------------------------------

          CPU cycles/packet=97.77 (busy cycles=1727032320 / total io packets=17664000) at 2450 MHz Clock

        Done.
        testpmd>
        """;

    [Fact]
    public void Counts_and_rates_are_read_from_an_answer() =>
        Assert.Equal(new TestpmdStatistics(27_342_816, 512, 18_302_291, 341), TestpmdStatistics.Parse(PortStatistics));

    [Fact]
    public void Busy_cycles_are_read_from_what_it_says_when_it_stops() => Assert.Equal(97.77, TestpmdStatistics.ParseCycles(Stopped));

    [Fact]
    public void An_answer_without_a_figure_is_shown_as_it_is()
    {
        string without = PortStatistics.Replace("Rx-pps", "Rx-qps", StringComparison.Ordinal);

        Assert.Contains("Rx-qps:     18302291", Assert.Throws<InvalidDataException>(() => TestpmdStatistics.Parse(without)).Message, StringComparison.Ordinal);
        Assert.Contains("Command not found", Assert.Throws<InvalidDataException>(static () => TestpmdStatistics.ParseCycles("Command not found")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_count_that_is_no_64_bit_number_is_refused() =>
        Assert.Throws<InvalidDataException>(static () => TestpmdStatistics.Parse(PortStatistics.Replace("18302291", "99999999999999999999", StringComparison.Ordinal)));
}
