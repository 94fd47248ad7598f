using System.Globalization;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.ControlPlane.Tests.ControlSocket;
using Arrakis.Native.Sockets;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Processes;

namespace Arrakis.ControlPlane.Tests.Hosting;

public sealed class StartupTests
{
    private const int ConfigurationFault = 78;

    [Fact]
    public async Task The_bind_that_is_played_through_at_start_leaves_no_trace_in_the_ledger()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(cancellation: cancellation);
        Assert.Contains("a bind was played through", daemon.Log, StringComparison.Ordinal);
        using RawClient client = await RawClient.GreetAsync(daemon.ControlSocket);
        DeviceDescription device = Assert.Single(Assert.IsType<DevicesReply>(await client.AskAsync(new ListDevicesRequest { Id = client.NextId() })).Devices);
        Assert.All(device.VirtualFunctions, static function => Assert.Equal((null, 0U), (function.BindingId, function.Generation)));
        Grant grant = (await client.BindAsync()).Grant;
        Assert.Equal((0, 1U), (grant.VirtualFunction, grant.Generation));
    }

    [Fact]
    public async Task A_daemon_whose_functions_are_all_bound_starts_again_all_the_same()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        await using DaemonProcess daemon = await DaemonProcess.StartAsync(new DaemonSetup { Functions = 1, Limits = "{ \"requestsInFlight\": 1 }" }, cancellation);
        using RawClient holder = await RawClient.GreetAsync(daemon.ControlSocket);
        _ = await holder.BindConfirmedAsync();
        await daemon.KillAsync();
        await daemon.StartAgainAsync(cancellation);
        using RawClient client = await RawClient.GreetAsync(daemon.ControlSocket);
        Assert.Single(await client.ListAsync());
    }

    [Fact]
    public async Task A_storage_bind_is_played_through_too_and_leaves_neither_area_nor_trace_nor_other_bytes()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        string disk = Path.GetTempFileName();
        byte[] content = new byte[4 << 20];
        await File.WriteAllBytesAsync(disk, content, cancellation);
        try
        {
            await using DaemonProcess daemon = await DaemonProcess.StartAsync(new DaemonSetup { BlockFile = disk }, cancellation);
            Assert.Contains($"Device {DaemonSetup.Device}: a bind was played through", daemon.Log, StringComparison.Ordinal);
            Assert.Contains($"Device {DaemonSetup.BlockDevice}: a bind was played through", daemon.Log, StringComparison.Ordinal);
            using RawClient client = await RawClient.GreetAsync(daemon.ControlSocket);
            Assert.Empty(await client.ListAsync());
            Assert.Empty(Assert.IsType<AreasReply>(await client.AskAsync(new ListAreasRequest { Id = client.NextId() })).Areas);
            DeviceDescription[] devices = [.. Assert.IsType<DevicesReply>(await client.AskAsync(new ListDevicesRequest { Id = client.NextId() })).Devices];
            Assert.Equal([DaemonSetup.Device, DaemonSetup.BlockDevice], devices.Select(static device => device.Name));
            Assert.All(devices.SelectMany(static device => device.VirtualFunctions), static function => Assert.Equal((null, 0U), (function.BindingId, function.Generation)));

            await using ArrakisClient holder = await daemon.ConnectAsync(cancellation);
            _ = await holder.CreateAreaAsync("a", content.Length, cancellationToken: cancellation); // Waits for zeroing.
            await using (StorageBinding first = await holder.BindStorageAsync(new StorageRequest { Area = "a" }, cancellation))
            {
                Assert.Equal((0, 1U), (first.Grant.VirtualFunction, first.Grant.Generation));
            }

            new Random(1).NextBytes(content);
            await File.WriteAllBytesAsync(disk, content, cancellation);
            await daemon.KillAsync();
            await daemon.StartAgainAsync(cancellation);
            await using StorageBinding next = await holder.BindStorageAsync(new StorageRequest { Area = "a" }, cancellation);
            Assert.Equal((0, 2U), (next.Grant.VirtualFunction, next.Grant.Generation));
            Assert.Equal(content, await File.ReadAllBytesAsync(disk, cancellation));
        }
        finally
        {
            File.Delete(disk);
        }
    }

    [Theory]
    [InlineData("{ \"keeper\": }", "arrakisd.json(1,")]
    [InlineData("{ \"socket\": { \"mode\": \"rw\" } }", "socket.mode")]
    [InlineData("{ \"policyFile\": \"/nowhere/policy.json\", \"runtimeDirectory\": \"FOLDER\" }", "/nowhere/policy.json")]
    public async Task A_configuration_that_cannot_be_used_ends_the_daemon_with_its_fault(string configuration, string fault)
    {
        string folder = Directory.CreateTempSubdirectory("arrakis-start-").FullName;
        try
        {
            (int code, string errors) = await RunAsync(folder, configuration.Replace("FOLDER", folder, StringComparison.Ordinal));
            Assert.Equal(ConfigurationFault, code);
            Assert.Contains(fault, errors, StringComparison.Ordinal);
            Assert.DoesNotContain("Unhandled", errors, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_daemon_that_cannot_listen_leaves_no_process_behind()
    {
        string folder = Directory.CreateTempSubdirectory("arrakis-start-").FullName;
        var mark = new ProcessMark("ARRAKIS_TEST_START", folder);
        string path = Path.Combine(folder, "taken.sock");
        using UnixSocket taken = UnixSocket.Listen(path, UnixSocketKind.SequencedPacket, 1, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        try
        {
            await File.WriteAllTextAsync(Path.Combine(folder, "policy.json"), "{ \"rules\": [] }", TestContext.Current.CancellationToken);
            string configuration = string.Create(CultureInfo.InvariantCulture, $$"""
                {
                  "socket": { "path": "{{path}}" }, "runtimeDirectory": "{{folder}}", "policyFile": "{{folder}}/policy.json", "keeper": "process",
                  "softDevicePath": "{{Programs.SoftDevice}}", "devices": [ { "kind": "soft", "name": "soft0", "networks": ["10.7.0.0/24"] } ]
                }
                """);
            (int code, string errors) = await RunAsync(folder, configuration, mark);
            Assert.Equal(ConfigurationFault, code);
            Assert.Contains(path, errors, StringComparison.Ordinal);
            await ServiceManagerTests.UntilAsync(() => mark.Living().Count == 0);
        }
        finally
        {
            mark.KillAll();
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<(int Code, string Errors)> RunAsync(string folder, string configuration, ProcessMark? mark = null)
    {
        string config = Path.Combine(folder, "arrakisd.json");
        await File.WriteAllTextAsync(config, configuration);
        Dictionary<string, string> environment = mark is null ? [] : new() { [mark.Variable] = mark.Value };
        await using ChildProcess daemon = ChildProcess.Start("arrakisd", null, Programs.Daemon, ["--config", config], ChildEnding.Signal, environment);
        int code = await daemon.WaitForExitAsync(CancellationToken.None).WaitAsync(DaemonProcess.Patience);
        return (code, daemon.Errors);
    }
}
