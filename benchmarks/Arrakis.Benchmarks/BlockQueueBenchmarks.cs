using Arrakis.TestBed.Storage;
using Arrakis.Wire.Rings;
using Arrakis.Wire.Virtio;
using BenchmarkDotNet.Attributes;

namespace Arrakis.Benchmarks;

/// <summary>Submit and complete of one block request at a depth: tag, header, descriptors, index, and the status' way back. The device takes requests and copies no data.</summary>
[MemoryDiagnoser]
public class BlockQueueBenchmarks
{
    private const int Requests = 1024;

    private MemoryBlockDevice _device = null!;
    private StorageBinding _storage = null!;
    private BlockQueue _queue = null!;
    private BlockRequest[] _requests = null!;
    private BlockResult[] _results = null!;
    private ValueTask[] _tasks = null!;

    [Params(RingFormat.Split, RingFormat.Packed)]
    public RingFormat Format { get; set; }

    [Params(1, 32)]
    public int Depth { get; set; }

    [GlobalSetup]
    public void Open()
    {
        _device = new MemoryBlockDevice(new MemoryBlockOptions { Format = Format });
        _storage = _device.Bind();
        _queue = _storage.Queues[0];
        _results = new BlockResult[Depth];
        _tasks = new ValueTask[Depth];
        _requests = new BlockRequest[Depth];
        for (int i = 0; i < Depth; i++)
        {
            _ = _queue.Buffers.TryRent(out BlockBuffer buffer);
            _requests[i] = new BlockRequest(BlockOperation.Write, i, 1, buffer, (ulong)i);
        }
    }

    [GlobalCleanup]
    public void Close()
    {
        _storage.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _device.Dispose();
    }

    [Benchmark(OperationsPerInvoke = Requests)]
    public int Batch()
    {
        int done = 0;
        while (done < Requests)
        {
            _queue.Submit(_requests);
            _ = _queue.Poll(_results);
            Complete();
            done += _queue.Poll(_results);
        }

        return done;
    }

    [Benchmark(OperationsPerInvoke = Requests)]
    public int Async()
    {
        int done = 0;
        while (done < Requests)
        {
            for (int i = 0; i < Depth; i++)
            {
                _tasks[i] = _queue.Area.WriteAsync(i, _requests[i].Buffer, 4096, WriteDurability.Cached);
            }

            _ = _queue.Poll();
            Complete();
            done += _queue.Poll();
            for (int i = 0; i < Depth; i++)
            {
                _tasks[i].GetAwaiter().GetResult();
            }
        }

        return done;
    }

    private void Complete()
    {
        while (_device.TryTake(out DeviceBlockRequest request))
        {
            _device.Complete(request, VirtioBlockStatus.Ok);
        }

        _device.Publish();
    }
}
