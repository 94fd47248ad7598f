using System.Diagnostics;
using System.Runtime.CompilerServices;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Native.Threads;
using Arrakis.NvmeCost.Reference;
using Arrakis.NvmeCost.Report;

namespace Arrakis.NvmeCost;

/// <summary>What each request of a batch is.</summary>
/// <param name="Name">In the result.</param>
/// <param name="Operation">Read or write.</param>
/// <param name="Length">Bytes.</param>
/// <param name="IsDurable">Whether a write is to be durable at once.</param>
internal sealed record Work(string Name, BlockOperation Operation, int Length, bool IsDurable);

/// <summary>The benchmark: our driver and the one in C in turn, each on a queue pair of its own whose controller is in memory.</summary>
/// <param name="pairs">Pairs of runs of each work.</param>
/// <param name="batches">Batches of a run.</param>
/// <param name="depth">Requests of a batch, and so in flight.</param>
internal sealed class NvmeBenchmark(int pairs, int batches, int depth)
{
    private const int QueueSize = 256;
    private const int BlockSize = 512;
    private const int WarmUpRuns = 2;

    /// <summary>The works.</summary>
    public static IReadOnlyList<Work> Works { get; } =
    [
        new("read-4k", BlockOperation.Read, 4096, false),
        new("write-4k-durable", BlockOperation.Write, 4096, true),
        new("read-128k", BlockOperation.Read, 128 << 10, false),
    ];

    /// <summary>Measures all works.</summary>
    public IReadOnlyList<NvmeRow> Run(Action<string> report)
    {
        double cyclesPerNanosecond = MeasureClock();
        List<NvmeRow> rows = [];
        foreach (Work work in Works)
        {
            NvmeRow row = Measure(work, cyclesPerNanosecond);
            report($"{work.Name}: {row.ArrakisNs:0.0} ns, in C {row.CNs:0.0} ns, ratio {row.Ratio:0.00}");
            rows.Add(row);
        }

        return rows;
    }

    /// <summary>Cycles of a loop of ours over so many batches.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static LoopResult RunArrakis(NvmeQueuePair pair, nint device, BlockCommand[] commands, int batches)
    {
        var result = default(LoopResult);
        var completions = new BlockCompletion[commands.Length];
        for (int i = 0; i < batches; i++)
        {
            ulong start = TimestampCounter.Read();
            _ = pair.Submit(commands);
            pair.Publish();
            ulong middle = TimestampCounter.Read();
            _ = NvmeReference.Serve(device);
            ulong again = TimestampCounter.Read();
            int count = pair.TakeCompleted(completions);
            ulong end = TimestampCounter.Read();
            result.Cycles += middle - start + (end - again);
            result.Completed += (ulong)count;
        }

        return result;
    }

    private static double MeasureClock()
    {
        long start = Stopwatch.GetTimestamp();
        ulong counter = TimestampCounter.Read();
        while (Stopwatch.GetElapsedTime(start) < TimeSpan.FromMilliseconds(100))
        {
        }

        return (TimestampCounter.Read() - counter) / Stopwatch.GetElapsedTime(start).TotalNanoseconds;
    }

    private NvmeRow Measure(Work work, double cyclesPerNanosecond)
    {
        using var ours = new QueueBed(QueueSize, depth, work.Length);
        using var theirs = new QueueBed(QueueSize, depth, work.Length);
        NvmeQueuePair pair = ours.OpenArrakis(out DmaRegion region, out DeviceRegisters registers);
        nint driver = theirs.OpenReference();
        try
        {
            uint blocks = (uint)(work.Length / BlockSize);
            BlockCommand[] commands =
            [
                .. Enumerable.Range(0, depth).Select(i =>
                    new BlockCommand((ushort)i, work.Operation, work.IsDurable, (ulong)i * blocks, blocks, ours.BufferOffset + (long)i * work.Length, work.Length)),
            ];
            NvmeReference.Command[] same = [.. commands.Select(static command => Same(command))];
            List<(double Ours, double Theirs)> measured = [];
            for (int run = -WarmUpRuns; run < pairs; run++)
            {
                // In turn first and second, as the machine's state may have a trend.
                LoopResult mine, reference;
                if (run % 2 == 0)
                {
                    mine = RunArrakis(pair, ours.Device, commands, batches);
                    reference = NvmeReference.Run(driver, theirs.Device, same, depth, batches);
                }
                else
                {
                    reference = NvmeReference.Run(driver, theirs.Device, same, depth, batches);
                    mine = RunArrakis(pair, ours.Device, commands, batches);
                }

                ulong all = (ulong)depth * (ulong)batches;
                if (mine.Completed != all || reference.Completed != all)
                {
                    throw new InvalidOperationException($"{work.Name}: {mine.Completed} and {reference.Completed} of {all} requests were completed.");
                }

                if (run >= 0)
                {
                    measured.Add(((double)mine.Cycles / all, (double)reference.Cycles / all));
                }
            }

            return NvmeRow.Of(work.Name, depth, cyclesPerNanosecond, measured);
        }
        finally
        {
            NvmeReference.Close(driver, isDriver: true);
            registers.Dispose();
            region.Dispose();
        }
    }

    private static NvmeReference.Command Same(in BlockCommand command) => new()
    {
        Block = command.Block,
        DataOffset = (ulong)command.DataOffset,
        Blocks = command.Blocks,
        DataLength = (uint)command.DataLength,
        Tag = command.Tag,
        Operation = (byte)command.Operation,
        Durable = (byte)(command.ForceUnitAccess ? 1 : 0),
    };
}
