namespace Arrakis.DataPlane.Tests.Storage;

/// <summary>The power is cut at every point of the write stream, of recovery too.</summary>
public sealed class PowerCutTests
{
    [Fact]
    public void At_every_point_of_the_write_stream_no_acknowledged_record_is_lost_and_none_invented()
    {
        int cuts = 0;
        for (int seed = 1; seed <= 24; seed++)
        {
            for (int point = 0; point < 120; point++)
            {
                cuts += Simulation.Run($"seed {seed}, cut after {point} requests", () =>
                {
                    var workload = new LogWorkload(seed);
                    workload.Create();
                    workload.RunUntil(point);
                    workload.CutAndRecover(again: 0);
                    return workload.Cuts;
                });
            }
        }

        Assert.True(cuts >= 2_000, $"{cuts}");
    }

    [Fact]
    public void A_log_that_is_cut_again_and_again_also_while_it_recovers_goes_on()
    {
        int cuts = 0;
        for (int seed = 1_000; seed < 1_150; seed++)
        {
            cuts += Simulation.Run($"seed {seed}", () =>
            {
                var random = new Random(seed);
                var workload = new LogWorkload(seed);
                workload.Create();
                for (int round = 0; round < 8; round++)
                {
                    workload.RunUntil(random.Next(80));
                    workload.CutAndRecover(again: random.Next(3));
                }

                workload.RunUntil(20);
                workload.Settle();
                workload.Reopen();
                workload.Check();
                return workload.Cuts;
            });
        }

        Assert.True(cuts >= 2_000, $"{cuts}");
    }

    [Fact]
    public void A_cut_while_the_log_is_made_leaves_a_log_or_none()
    {
        for (int seed = 1; seed <= 40; seed++)
        {
            for (int steps = 0; steps < 12; steps++)
            {
                _ = Simulation.Run($"seed {seed}, cut after {steps} requests", () =>
                {
                    var area = new SimulatedArea(new byte[512 * 20], 512, 6, 2, new Random(seed));
                    Task<PersistentLog> create = PersistentLog.OpenOrCreateAsync(area).AsTask();
                    for (int i = 0; i < steps && !create.IsCompleted; i++)
                    {
                        area.Step();
                    }

                    SimulatedArea after = area.After(area.Cut());
                    PersistentLog log = after.Run(PersistentLog.OpenOrCreateAsync(after));
                    Assert.Equal(0, log.Recovery.Records);
                    byte[] record = [1, 2, 3];
                    _ = after.Run(log.AppendAsync(record));
                    Assert.Equal(record, Assert.Single(LogWorkload.ReadAll(after, log)).Data.ToArray());
                    return 1;
                });
            }
        }
    }
}
