using System.Diagnostics;
using System.Runtime;

namespace Arrakis.UdpEchoServer;

/// <summary>Threads that allocate at a rate, or write as much without allocating, while another thread serves.</summary>
internal sealed class NoiseThreads : IDisposable
{
    private const int Threads = 2;
    private const int BytesPerSecond = 100_000_000;
    private const int BlockLength = 1000;
    private const int KeptBlocks = 8192; // Some megabytes live for a while, so that collections have something to do.
    private const long RegionLength = 200_000_000;
    private const double RegionShare = 0.75; // A region is given up before it is full: the collector would end it otherwise.

    private readonly List<Thread> _threads = [];
    private volatile bool _isOver;

    private NoiseThreads()
    {
    }

    /// <summary>Starts them.</summary>
    public static NoiseThreads Start(NoiseKind kind, CollectorMode mode)
    {
        var noise = new NoiseThreads();
        if (mode == CollectorMode.SustainedLowLatency)
        {
            GCSettings.LatencyMode = GCLatencyMode.SustainedLowLatency;
        }

        for (int i = 0; i < Threads && kind != NoiseKind.None; i++)
        {
            noise.Run("noise", () => noise.Write(kind == NoiseKind.Allocate));
        }

        if (mode == CollectorMode.NoGcRegions)
        {
            noise.Run("regions", noise.HoldRegions);
        }

        return noise;
    }

    public void Dispose()
    {
        _isOver = true;
        foreach (Thread thread in _threads)
        {
            thread.Join();
        }
    }

    private void Run(string name, ThreadStart body)
    {
        var thread = new Thread(body) { IsBackground = true, Name = name };
        _threads.Add(thread);
        thread.Start();
    }

    private void Write(bool allocate)
    {
        byte[][] kept = [.. Enumerable.Range(0, KeptBlocks).Select(static _ => new byte[BlockLength])];
        long start = Stopwatch.GetTimestamp();
        long blocks = 0;
        while (!_isOver)
        {
            double due = Stopwatch.GetElapsedTime(start).TotalSeconds * BytesPerSecond / Threads / BlockLength;
            for (; blocks < due; blocks++)
            {
                int slot = (int)(blocks % KeptBlocks);
                if (allocate)
                {
                    kept[slot] = new byte[BlockLength];
                }
                else
                {
                    Array.Clear(kept[slot]);
                }
            }

            Thread.Sleep(1);
        }
    }

    private void HoldRegions()
    {
        while (!_isOver)
        {
            if (!GC.TryStartNoGCRegion(RegionLength))
            {
                continue;
            }

            long start = GC.GetTotalAllocatedBytes();
            while (!_isOver && GC.GetTotalAllocatedBytes() - start < RegionLength * RegionShare)
            {
                Thread.Sleep(1);
            }

            if (GCSettings.LatencyMode == GCLatencyMode.NoGCRegion)
            {
                GC.EndNoGCRegion();
            }
        }
    }
}
