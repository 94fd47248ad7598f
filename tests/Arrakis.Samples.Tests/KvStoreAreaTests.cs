using Arrakis.Contract.Control;
using Arrakis.TestBed.Daemon;

namespace Arrakis.Samples.Tests;

/// <summary>The store on a storage area of the daemon's, with a reactor.</summary>
public sealed class KvStoreAreaTests : IAsyncLifetime
{
    private const string Area = "kv";
    private const long Length = 16 << 20;
    private const int Kills = 5;

    private readonly string _folder = Directory.CreateTempSubdirectory("arrakis-kv-area-").FullName;
    private DaemonProcess _daemon = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        string disk = Path.Combine(_folder, "disk");
        await using (FileStream file = File.Create(disk))
        {
            file.SetLength(4 * Length);
        }

        _daemon = await DaemonProcess.StartAsync(new DaemonSetup { BlockFile = disk }, cancellation: Cancellation);
        await using ArrakisClient client = await _daemon.ConnectAsync(Cancellation);
        _ = await client.CreateAreaAsync(Area, Length, cancellationToken: Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        await _daemon.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Killed_again_and_again_it_has_what_it_acknowledged()
    {
        long acknowledged = 0;
        for (int kill = 0; kill < Kills; kill++)
        {
            await using StoreProcess store = await StartAsync();
            using RespClient client = await store.ConnectAsync();
            Assert.Equal(acknowledged == 0 ? null : $"{acknowledged}", await client.CallAsync("GET", "count"));
            for (int i = 0; i < 100; i++)
            {
                Assert.Equal($":{++acknowledged}", await client.CallAsync("INCR", "count"));
            }

            (int exitCode, string output, string errors) = await Sample.RunAsync(
                "redis-benchmark", "-p", $"{store.Port}", "-t", "set,get", "-n", "1000", "-c", "20", "-r", "100", "-d", "200", "--csv");
            Assert.True(exitCode == 0, output + errors);
            await store.KillAsync();
            await AssertNothingIsBoundAsync();
        }
    }

    [Fact]
    public async Task Asked_to_give_the_area_back_it_does_and_ends_well()
    {
        await using ArrakisClient client = await _daemon.ConnectAsync(Cancellation);
        await using (StoreProcess store = await StartAsync())
        {
            using RespClient writer = await store.ConnectAsync();
            Assert.Equal("+OK", await writer.CallAsync("SET", "a", "1"));
            BindingDescription binding = Assert.Single(await client.ListBindingsAsync(Cancellation));

            await client.RevokeAsync(binding.BindingId, RevocationMode.Visible, TimeSpan.FromMinutes(30), Cancellation).AsTask().WaitAsync(DaemonProcess.Patience, Cancellation);

            Assert.Equal(0, await store.EndAsync());
        }

        await using StoreProcess again = await StartAsync();
        Assert.StartsWith("Recovered 1 keys", again.Greeting, StringComparison.Ordinal);
    }

    private Task<StoreProcess> StartAsync() => StoreProcess.StartAsync("--area", Area, "--socket", _daemon.ControlSocket);

    private async Task AssertNothingIsBoundAsync()
    {
        await using ArrakisClient client = await _daemon.ConnectAsync(Cancellation);
        await _daemon.UntilAsync(async () => (await client.ListBindingsAsync(Cancellation)).Count == 0, "an end of all bindings", Cancellation);
    }
}
