using System.Diagnostics;
using Arrakis.Native.Threads;
using Arrakis.TestBed.Daemon;

namespace Arrakis.StorageLatency.Parties;

/// <summary>A storage area, bound by the daemon and polled by one thread on a core of its own; the device is on another.</summary>
internal sealed class ArrakisParty : IParty, IAsyncDisposable
{
    private const int MaxDepth = 128;
    private const string Area = "bench";

    private readonly DaemonProcess _daemon;
    private readonly ArrakisClient _client;
    private readonly StorageBinding _storage;
    private readonly Process _device;
    private readonly int _core;
    private readonly Latencies _latencies = new(1 << 22);

    private ArrakisParty(DaemonProcess daemon, ArrakisClient client, StorageBinding storage, Process device, int core)
    {
        _daemon = daemon;
        _client = client;
        _storage = storage;
        _device = device;
        _core = core;
    }

    /// <inheritdoc/>
    public string Name => "arrakis";

    /// <summary>Starts a daemon whose device has its areas in a file.</summary>
    public static async Task<ArrakisParty> StartAsync(string file, int core, int deviceCore, CancellationToken cancellation)
    {
        DaemonProcess daemon = await DaemonProcess.StartAsync(
            new DaemonSetup
            {
                Functions = 1,
                Core = deviceCore,
                BlockFile = file,
                BlockSize = 512,
                BlockFunctions = 1,
                Environment = new Dictionary<string, string> { ["DOTNET_TieredCompilation"] = "0" },
            },
            cancellation);
        try
        {
            ArrakisClient client = await daemon.ConnectAsync(cancellation);
            _ = await client.CreateAreaAsync(Area, Workload.Span, cancellationToken: cancellation);
            StorageBinding storage = await client.BindStorageAsync(new StorageRequest { Area = Area, QueueSize = 256, Buffers = MaxDepth, BufferSize = 4096 }, cancellation);
            string sockets = Path.GetDirectoryName(daemon.ManagementSocket)!;
            Process device = Process.GetProcesses().First(process => CommandLine(process).Contains(sockets, StringComparison.Ordinal) && CommandLine(process).Contains("softdevice", StringComparison.Ordinal));
            var party = new ArrakisParty(daemon, client, storage, device, core);
            await Task.Run(party.WriteAll, cancellation);
            return party;
        }
        catch
        {
            await daemon.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public bool Has(Workload load) => true;

    /// <inheritdoc/>
    public Task<Sample> RunAsync(Workload load, TimeSpan duration, CancellationToken cancellation)
    {
        var ended = new TaskCompletionSource<Sample>(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() =>
        {
            try
            {
                PinnedThread.Pin(_core);
                _ = Run(load, duration / 4);
                ended.SetResult(Run(load, duration));
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                ended.SetException(e);
            }
        }).Start();
        return ended.Task;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _storage.DisposeAsync();
        await _client.DisposeAsync();
        await _daemon.DisposeAsync();
    }

    private Sample Run(Workload load, TimeSpan duration)
    {
        BlockQueue queue = _storage.Queues[0];
        var buffers = new BlockBuffer[load.Depth];
        long[] starts = new long[load.Depth];
        var requests = new BlockRequest[load.Depth];
        var results = new BlockResult[load.Depth];
        int blocks = load.Length / _storage.Grant.BlockSize;
        long places = Workload.Span / load.Length;
        long next = 0;
        var random = new Random(1);
        for (int i = 0; i < load.Depth; i++)
        {
            if (!queue.Buffers.TryRent(out buffers[i]))
            {
                throw new InvalidOperationException("The binding has too few buffers.");
            }

            buffers[i].Span.Fill((byte)(i + 1));
            requests[i] = Make(i);
        }

        _latencies.Clear();
        _device.Refresh();
        TimeSpan cpu = Process.GetCurrentProcess().TotalProcessorTime + _device.TotalProcessorTime;
        long begin = Stopwatch.GetTimestamp();
        long end = begin + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        Start(load.Depth);
        int open = load.Depth;
        long now = begin;
        while (open > 0)
        {
            int count = queue.Poll(results);
            if (count == 0)
            {
                continue;
            }

            now = Stopwatch.GetTimestamp();
            int again = 0;
            foreach (BlockResult result in results.AsSpan(0, count))
            {
                if (result.Status != BlockStatus.Success)
                {
                    throw new InvalidOperationException($"A request failed: {result}.");
                }

                _latencies.Add(now - starts[result.Token]);
                if (now < end)
                {
                    requests[again++] = Make((int)result.Token);
                }
            }

            open += again - count;
            Start(again);
        }

        _device.Refresh();
        cpu = Process.GetCurrentProcess().TotalProcessorTime + _device.TotalProcessorTime - cpu;
        foreach (BlockBuffer buffer in buffers)
        {
            queue.Buffers.Return(buffer);
        }

        (double p50, double p99) = Latencies.Percentiles([_latencies]);
        return new Sample(_latencies.Count / Stopwatch.GetElapsedTime(begin, now).TotalSeconds, p50, p99, cpu.TotalMicroseconds / _latencies.Count);

        BlockRequest Make(int slot)
        {
            long place = load.Work == Work.Append ? next++ % places : random.NextInt64(places);
            return new BlockRequest(
                load.Work == Work.Read ? BlockOperation.Read : BlockOperation.Write,
                place * blocks,
                blocks,
                buffers[slot],
                (ulong)slot,
                load.Work == Work.Append ? WriteDurability.Durable : WriteDurability.Cached);
        }

        void Start(int count)
        {
            long start = Stopwatch.GetTimestamp();
            foreach (BlockRequest request in requests.AsSpan(0, count))
            {
                starts[request.Token] = start;
            }

            queue.Submit(requests.AsSpan(0, count));
        }
    }

    // So that no extent of the file is unwritten: the first write of such a one changes the file system too.
    private void WriteAll()
    {
        BlockQueue queue = _storage.Queues[0];
        var results = new BlockResult[1];
        if (!queue.Buffers.TryRent(out BlockBuffer buffer))
        {
            throw new InvalidOperationException("The binding has no buffers.");
        }

        buffer.Span.Fill(1);
        long blocks = buffer.Length / _storage.Grant.BlockSize;
        for (long block = 0; block < _storage.Grant.BlockCount; block += blocks)
        {
            queue.Submit([new BlockRequest(BlockOperation.Write, block, blocks, buffer, 0)]);
            while (queue.Poll(results) == 0)
            {
            }
        }

        queue.Buffers.Return(buffer);
    }

    private static string CommandLine(Process process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process.Id}/cmdline");
        }
        catch (IOException)
        {
            return ""; // it has ended
        }
    }
}
