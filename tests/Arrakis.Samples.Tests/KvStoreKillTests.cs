using System.Diagnostics;
using Arrakis.TestBed.Daemon;

namespace Arrakis.Samples.Tests;

/// <summary>The store is killed again and again while redis-benchmark and clients that remember what they were told write to it.</summary>
public sealed class KvStoreKillTests : IDisposable
{
    private const int Kills = 50;
    private const int Clients = 8;

    private readonly string _folder = Directory.CreateTempSubdirectory("arrakis-kill-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task No_acknowledged_write_is_lost_by_50_kills()
    {
        var random = new Random(50);
        string file = Path.Combine(_folder, "log");
        using var told = new SemaphoreSlim(0);
        ToldClient[] clients = [.. Enumerable.Range(0, Clients).Select(client => new ToldClient(client, told))];
        int acknowledged = 0;
        for (int kill = 0; kill < Kills; kill++)
        {
            await using StoreProcess store = await StoreProcess.StartAsync(file, 16);
            await ToldClient.CheckAllAsync(store, clients, $"kill {kill}");
            using Process benchmark = Process.Start(new ProcessStartInfo(
                "redis-benchmark", ["-p", $"{store.Port}", "-t", "set,incr", "-n", "100000000", "-c", "20", "-r", "2000", "-d", "300", "-q"])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            try
            {
                Task[] writers = [.. clients.Select(client => client.WriteAsync(store))];
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
        await ToldClient.CheckAllAsync(last, clients, "the last kill");
        Assert.True(acknowledged >= 20 * Kills);
    }
}
