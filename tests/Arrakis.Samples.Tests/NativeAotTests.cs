using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Processes;

namespace Arrakis.Samples.Tests;

/// <summary>Samples published with NativeAOT, without a warning.</summary>
public sealed class NativeAotTests(NativeAotBuild build) : IClassFixture<NativeAotBuild>
{
    private const string Area = "kv";
    private const long AreaLength = 16 << 20;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_echo_serves_both_interfaces()
    {
        string program = await build.PublishAsync("UdpEcho");
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(cancellation: Cancellation);
        foreach (string api in (string[])["sockets", "native"])
        {
            await using ChildProcess echo = await Sample.StartEchoAsync(daemon, program, "--api", api);
            NativeAotBuild.AssertIsNative(echo.Id);

            await Sample.PingAsync(daemon, 500);

            Assert.True(echo.Signal(Sample.Interrupt));
            Assert.Equal(0, (await Sample.EndAsync(echo)).ExitCode);
        }
    }

    [Fact]
    public async Task The_store_serves_redis_cli_and_raw_clients_from_an_area_and_from_a_file()
    {
        string program = await build.PublishAsync("KvStore");
        string folder = Directory.CreateTempSubdirectory("arrakis-aot-kv-").FullName;
        try
        {
            string disk = Path.Combine(folder, "disk");
            await using (FileStream file = File.Create(disk))
            {
                file.SetLength(2 * AreaLength);
            }

            await using DaemonProcess daemon = await DaemonProcess.StartAsync(new DaemonSetup { BlockFile = disk }, Cancellation);
            await using ArrakisClient client = await daemon.ConnectAsync(Cancellation);
            _ = await client.CreateAreaAsync(Area, AreaLength, cancellationToken: Cancellation);
            foreach (string[] storage in (string[][])[["--area", Area, "--socket", daemon.ControlSocket], ["--file", Path.Combine(folder, "log"), "--file-size", "16"]])
            {
                await ServeAsync(program, storage);
                await using StoreProcess again = await StoreProcess.StartProgramAsync(program, storage);
                Assert.StartsWith("Recovered 3 keys", again.Greeting, StringComparison.Ordinal);
                Assert.Equal("a value", await again.CliAsync("GET", "cli"));
                Assert.Equal(0, await again.InterruptAsync());
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task ServeAsync(string program, string[] storage)
    {
        await using StoreProcess store = await StoreProcess.StartProgramAsync(program, storage);
        NativeAotBuild.AssertIsNative(store.Id);
        Assert.Equal("OK", await store.CliAsync("SET", "cli", "a value"));
        Assert.Equal("a value", await store.CliAsync("GET", "cli"));
        Assert.Equal("ERR unknown command 'NONSENSE'", await store.CliAsync("NONSENSE"));
        using RespClient raw = await store.ConnectAsync();
        await raw.SendRawAsync("*3\r\n$3\r\nSET\r\n$3\r\nraw\r\n$1\r\n7\r\nINCR raw\r\n*2\r\n$3\r\nGET\r\n$3\r\nraw\r\n*2\r\n$4\r\nINCR\r\n$5\r\ncount\r\n");
        Assert.Equal("+OK", await raw.ReadAsync());
        Assert.Equal(":8", await raw.ReadAsync());
        Assert.Equal("8", await raw.ReadAsync());
        Assert.Equal(":1", await raw.ReadAsync());
        Assert.Equal(0, await store.InterruptAsync());
    }
}
