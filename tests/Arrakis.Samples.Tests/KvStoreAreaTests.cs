using Arrakis.Contract.Control;
using Arrakis.TestBed.Daemon;

namespace Arrakis.Samples.Tests;

/// <summary>The store on a storage area of the daemon's, with a reactor.</summary>
public sealed class KvStoreAreaTests : IAsyncLifetime
{
    private const string Area = "kv";
    private const long Length = 16 << 20;
    private const int Kills = 5;
    private const int Revocations = 4;
    private const int Failed = 1;

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

    [Fact]
    public async Task Taken_without_a_question_under_load_it_says_so_and_what_it_acknowledged_is_there_after_the_next_bind()
    {
        var random = new Random(4);
        using var told = new SemaphoreSlim(0);
        ToldClient[] clients = [.. Enumerable.Range(0, 8).Select(client => new ToldClient(client, told))];
        await using ArrakisClient administrator = await _daemon.ConnectAsync(Cancellation);
        for (int revocation = 0; revocation < Revocations; revocation++)
        {
            await using StoreProcess store = await StartAsync();
            await ToldClient.CheckAllAsync(store, clients, $"revocation {revocation}");
            Task[] writing = [.. clients.Select(client => client.WriteAsync(store))];
            for (int after = random.Next(100, 600); after > 0; after--)
            {
                Assert.True(await told.WaitAsync(DaemonProcess.Patience, Cancellation));
            }

            BindingDescription binding = Assert.Single(await administrator.ListBindingsAsync(Cancellation));
            (int code, string output, string errors) = await Sample.RunAsync(Programs.Control, "--socket", _daemon.ControlSocket, "revoke", $"{binding.BindingId}");
            Assert.True(code == 0, output + errors);

            await AssertSaysThatItWasTakenAsync(store, binding);
            await Task.WhenAll(writing);
            await AssertNothingIsBoundAsync();
        }

        await using StoreProcess last = await StartAsync();
        await ToldClient.CheckAllAsync(last, clients, "the last revocation");
    }

    [Fact]
    public async Task Taken_while_nobody_asks_for_anything_it_ends_all_the_same()
    {
        await using ArrakisClient administrator = await _daemon.ConnectAsync(Cancellation);
        await using StoreProcess store = await StartAsync();
        using RespClient client = await store.ConnectAsync();
        Assert.Equal("+OK", await client.CallAsync("SET", "a", "1"));
        BindingDescription binding = Assert.Single(await administrator.ListBindingsAsync(Cancellation));

        await administrator.RevokeAsync(binding.BindingId, RevocationMode.Invisible, cancellationToken: Cancellation);

        await AssertSaysThatItWasTakenAsync(store, binding);
        await using StoreProcess again = await StartAsync();
        Assert.StartsWith("Recovered 1 keys", again.Greeting, StringComparison.Ordinal);
    }

    private static async Task AssertSaysThatItWasTakenAsync(StoreProcess store, BindingDescription binding)
    {
        (int exitCode, string errors) = await store.FailAsync();
        Assert.Equal(Failed, exitCode);
        string line = Assert.Single(errors.Split('\n'));
        Assert.StartsWith($"Binding {binding.BindingId} (generation {binding.Generation}) is Revoked. Taken: ", line, StringComparison.Ordinal);
        Assert.Contains("StorageArea", line, StringComparison.Ordinal);
    }

    private Task<StoreProcess> StartAsync() => StoreProcess.StartAsync("--area", Area, "--socket", _daemon.ControlSocket);

    private async Task AssertNothingIsBoundAsync()
    {
        await using ArrakisClient client = await _daemon.ConnectAsync(Cancellation);
        await _daemon.UntilAsync(async () => (await client.ListBindingsAsync(Cancellation)).Count == 0, "an end of all bindings", Cancellation);
    }
}
