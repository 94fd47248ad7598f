using System.Diagnostics;
using Microsoft.Win32.SafeHandles;

namespace Arrakis.StorageLatency.Parties;

/// <summary>.NET's own files: RandomAccess, and after each write a flush to the disk. A thread for each request at once.</summary>
internal sealed class FileParty(string folder) : IParty
{
    /// <inheritdoc/>
    public string Name => "random-access";

    /// <inheritdoc/>
    public bool Has(Workload load) => true;

    /// <inheritdoc/>
    public async Task<Sample> RunAsync(Workload load, TimeSpan duration, CancellationToken cancellation)
    {
        string path = Path.Combine(folder, load.Work == Work.Append ? "growing" : "even");
        if (load.Work != Work.Append && !File.Exists(path))
        {
            await File.WriteAllBytesAsync(path, new byte[Workload.Span], cancellation);
        }

        using SafeFileHandle file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite);
        RandomAccess.FlushToDisk(file);
        long places = Workload.Span / load.Length;
        long next = 0;
        var latencies = new Latencies[load.Depth];
        TimeSpan cpu = Process.GetCurrentProcess().TotalProcessorTime;
        long begin = Stopwatch.GetTimestamp();
        long end = begin + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        Thread[] threads = [.. Enumerable.Range(0, load.Depth).Select(number => new Thread(() => DoWork(number)))];
        Array.ForEach(threads, static thread => thread.Start());
        Array.ForEach(threads, static thread => thread.Join());
        double seconds = Stopwatch.GetElapsedTime(begin).TotalSeconds;
        cpu = Process.GetCurrentProcess().TotalProcessorTime - cpu;
        if (load.Work == Work.Append)
        {
            File.Delete(path);
        }

        long count = latencies.Sum(static one => one.Count);
        (double p50, double p99) = Latencies.Percentiles(latencies);
        return new Sample(count / seconds, p50, p99, cpu.TotalMicroseconds / count);

        void DoWork(int number)
        {
            var own = new Latencies(1 << 18);
            latencies[number] = own;
            var random = new Random(number);
            byte[] bytes = new byte[load.Length];
            long start = Stopwatch.GetTimestamp();
            while (start < end)
            {
                long place = (load.Work == Work.Append ? Interlocked.Increment(ref next) - 1 : random.NextInt64(places)) * load.Length;
                if (load.Work == Work.Read)
                {
                    _ = RandomAccess.Read(file, bytes, place);
                }
                else
                {
                    RandomAccess.Write(file, bytes, place);
                    RandomAccess.FlushToDisk(file);
                }

                long now = Stopwatch.GetTimestamp();
                own.Add(now - start);
                start = now;
            }
        }
    }
}
