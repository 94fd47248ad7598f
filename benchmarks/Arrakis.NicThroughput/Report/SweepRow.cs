namespace Arrakis.NicThroughput.Report;

/// <summary>One point of a sweep.</summary>
/// <param name="Sweep"><c>batch</c>: frames in a batch; <c>frame</c>: bytes of a frame.</param>
/// <param name="Value">Of what is swept.</param>
/// <param name="Ring">split or packed.</param>
/// <param name="Mode">receive, transmit or forward.</param>
/// <param name="ArrakisMpps">Million frames a second through our ring engine.</param>
/// <param name="DpdkMpps">The same through DPDK's driver.</param>
/// <param name="Pairs">Pairs in the same state of the machine.</param>
internal sealed record SweepRow(string Sweep, int Value, string Ring, string Mode, double ArrakisMpps, double DpdkMpps, int Pairs)
{
    public static SweepRow Of(string sweep, int value, NicRow row) => new(sweep, value, row.Ring, row.Mode, row.ArrakisMpps, row.DpdkMpps, row.Pairs);
}
