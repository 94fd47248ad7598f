using System.Diagnostics;
using System.Globalization;
using Arrakis.TestBed.Daemon;

namespace Arrakis.Samples.Tests;

/// <summary>The store is killed again and again while redis-benchmark and clients that remember what they were told write to it.</summary>
public sealed class KvStoreKillTests : IDisposable
{
    private const int Kills = 50;
    private const int Clients = 8;
    private const int Keys = 40;

    private readonly string _folder = Directory.CreateTempSubdirectory("arrakis-kill-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task No_acknowledged_write_is_lost_by_50_kills()
    {
        var random = new Random(50);
        string file = Path.Combine(_folder, "log");
        using var told = new SemaphoreSlim(0);
        Memory[] memories = [.. Enumerable.Range(0, Clients).Select(client => new Memory(client, told))];
        int acknowledged = 0;
        for (int kill = 0; kill < Kills; kill++)
        {
            await using StoreProcess store = await StoreProcess.StartAsync(file, 16);
            await CheckAsync(store, memories, kill);
            using Process benchmark = Process.Start(new ProcessStartInfo(
                "redis-benchmark", ["-p", $"{store.Port}", "-t", "set,incr", "-n", "100000000", "-c", "20", "-r", "2000", "-d", "300", "-q"])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            try
            {
                Task[] writers = [.. memories.Select(memory => memory.WriteAsync(store))];
                for (int after = random.Next(20, 400); after > 0; after--)
                {
                    Assert.True(await told.WaitAsync(DaemonProcess.Patience, TestContext.Current.CancellationToken));
                    acknowledged++;
                }

                await store.KillAsync();
                await Task.WhenAll(writers);
            }
            finally
            {
                benchmark.Kill();
                await benchmark.WaitForExitAsync(TestContext.Current.CancellationToken);
            }
        }

        await using StoreProcess last = await StoreProcess.StartAsync(file, 16);
        await CheckAsync(last, memories, Kills);
        Assert.True(acknowledged >= 20 * Kills);
    }

    private static async Task CheckAsync(StoreProcess store, Memory[] memories, int kill)
    {
        using RespClient client = await store.ConnectAsync();
        foreach (Memory memory in memories)
        {
            await memory.CheckAsync(client, kill);
        }
    }

    /// <summary>One client: what it was told was done, and what it asked for and was not told.</summary>
    private sealed class Memory(int client, SemaphoreSlim told)
    {
        private readonly long[] _values = new long[Keys]; // By key, the last value that was acknowledged; 0 for none.
        private long _next = 1;
        private int _doubtfulKey = -1;
        private long _doubtful;
        private long _count; // Acknowledged increments.
        private bool _isCountDoubtful;

        public async Task WriteAsync(StoreProcess store)
        {
            try
            {
                using RespClient connection = await store.ConnectAsync();
                while (true)
                {
                    _doubtfulKey = (int)(_next % Keys);
                    _doubtful = _next++;
                    Assert.Equal("+OK", await connection.CallAsync("SET", $"client:{client}:{_doubtfulKey}", $"{_doubtful}"));
                    _values[_doubtfulKey] = _doubtful;
                    _doubtfulKey = -1;
                    _isCountDoubtful = true;
                    Assert.Equal($":{_count + 1}", await connection.CallAsync("INCR", $"count:{client}"));
                    _count++;
                    _isCountDoubtful = false;
                    _ = told.Release();
                }
            }
            catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
            {
                // It was killed.
            }
        }

        public async Task CheckAsync(RespClient connection, int kill)
        {
            for (int key = 0; key < Keys; key++)
            {
                long found = Number(await connection.CallAsync("GET", $"client:{client}:{key}"));
                bool isRight = found == _values[key] || (key == _doubtfulKey && found == _doubtful);
                Assert.True(isRight, $"after kill {kill}, client {client}, key {key}: {found} instead of {_values[key]}");
                _values[key] = found;
            }

            long count = Number(await connection.CallAsync("GET", $"count:{client}"));
            Assert.True(count == _count || (_isCountDoubtful && count == _count + 1), $"after kill {kill}, client {client}: {count} increments instead of {_count}");
            _count = count;
            _doubtfulKey = -1;
            _isCountDoubtful = false;
        }

        private static long Number(string? value) => value is null ? 0 : long.Parse(value, CultureInfo.InvariantCulture);
    }
}
