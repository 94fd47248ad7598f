using Arrakis.SystemApp.Conversation;
using Arrakis.SystemTests.Support;
using Arrakis.TestBed.Daemon;

namespace Arrakis.SystemTests;

/// <summary>Durable writes and reads make no system call and allocate nothing.</summary>
public sealed class StorageSystemCallTests
{
    private const long Requests = 200_000;
    private const long AreaLength = 1 << 20;

    // Nothing may suspend the application's threads meanwhile: see FilteredApp.
    private static readonly Dictionary<string, string> s_environment = new()
    {
        ["DOTNET_TieredCompilation"] = "0",
        ["DOTNET_GCgen0size"] = "0x8000000",
    };

    [Theory]
    [InlineData(StorageApi.Batch)]
    [InlineData(StorageApi.Async)]
    public async Task Durable_writes_and_reads_make_no_system_call_and_no_allocation(StorageApi api)
    {
        using var file = new BlockFile("/dev/shm", 4 * AreaLength);
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(
            new DaemonSetup { BlockFile = file.Path, Core = Cores.Device, Idle = "spin" },
            TestContext.Current.CancellationToken);
        await using ArrakisClient client = await daemon.ConnectAsync(TestContext.Current.CancellationToken);
        _ = await client.CreateAreaAsync("filtered", AreaLength, cancellationToken: TestContext.Current.CancellationToken);
        await using AppProcess app = AppProcess.Start(
            new FilteredStorageOrder(daemon.ControlSocket, "filtered", api, Cores.Application, Requests),
            environment: s_environment);
        FilteredReport filtered = await app.ExpectAsync<FilteredReport>();
        string status = await File.ReadAllTextAsync($"/proc/{app.Id}/task/{filtered.Thread}/status", TestContext.Current.CancellationToken);
        Assert.Contains("Seccomp:\t2", status, StringComparison.Ordinal);
        ProofReport proof = await app.ExpectAsync<ProofReport>();
        Assert.Equal(Requests, proof.Datagrams); // Here: requests, all of which gave what was written.
        Assert.Equal(proof.AllocatedBefore, proof.AllocatedAfter);
    }
}
