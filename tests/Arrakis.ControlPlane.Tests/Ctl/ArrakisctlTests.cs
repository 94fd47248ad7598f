using System.Globalization;
using System.Text.Json;
using Arrakis.Contract;
using Arrakis.ControlPlane.Tests.ControlSocket;
using Arrakis.TestBed.Daemon;

namespace Arrakis.ControlPlane.Tests.Ctl;

/// <summary>arrakisctl as a program against a real daemon.</summary>
public sealed class ArrakisctlTests(DaemonFixture fixture) : IClassFixture<DaemonFixture>
{
    [Fact]
    public async Task Everything_is_shown_as_tables_and_as_json_and_a_binding_is_taken_back()
    {
        using RawClient holder = await RawClient.GreetAsync(fixture.Daemon.ControlSocket);
        Grant grant = (await holder.BindAsync()).Grant;
        string id = grant.BindingId.ToString(CultureInfo.InvariantCulture);

        Assert.Contains("soft0", await TableAsync("devices"), StringComparison.Ordinal);
        Assert.Contains(grant.Mac.ToString(), await TableAsync("functions"), StringComparison.Ordinal);
        Assert.Contains(grant.Address.ToString(), await TableAsync("bindings"), StringComparison.Ordinal);
        Assert.Contains(id, await TableAsync("describe", id), StringComparison.Ordinal);
        Assert.Contains("vf0", await TableAsync("counters"), StringComparison.Ordinal);

        Assert.Equal("soft0", (await JsonAsync("devices"))[0].GetProperty("name").GetString());
        JsonElement function = (await JsonAsync("functions"))[grant.VirtualFunction];
        Assert.Equal(grant.BindingId, function.GetProperty("bindingId").GetUInt64());
        Assert.Equal(Environment.ProcessId, (await JsonAsync("bindings"))[0].GetProperty("processId").GetInt32());
        Assert.Equal("Active", (await JsonAsync("describe", id)).GetProperty("state").GetString(), ignoreCase: true);
        Assert.Contains((await JsonAsync("counters")).EnumerateArray(), static row => row.GetProperty("port").GetString() == "tester");

        CtlRun test = await RunAsync("test", id, "--duration", "50ms", "--warmup", "1ms", "--json");
        Assert.Equal((6, "arrakisctl: No reply came"), (test.Code, test.Error[..Math.Min(test.Error.Length, 25)]));
        Assert.Equal(0, JsonDocument.Parse(test.Output).RootElement.GetProperty("received").GetInt64());

        Assert.Equal(0, (await RunAsync("revoke", id)).Code);
        Assert.Empty(await holder.ListAsync());
        Assert.Equal(0, (await JsonAsync("bindings")).GetArrayLength());
    }

    [Theory]
    [InlineData(4, "describe", "12345")]
    [InlineData(4, "revoke", "12345")]
    [InlineData(4, "counters", "--device", "nic9")]
    [InlineData(2, "describe", "abc")]
    [InlineData(2, "fly")]
    public async Task A_fault_has_its_exit_code_and_says_what_to_do(int code, params string[] arguments)
    {
        CtlRun run = await RunAsync(arguments);
        Assert.Equal(code, run.Code);
        Assert.StartsWith("arrakisctl: ", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_daemon_that_is_not_there_is_unavailable()
    {
        CtlRun run = await CtlRun.StartAsync(Programs.Control, ["--socket", "/run/arrakis-nowhere.sock", "--json", "devices"]);
        Assert.Equal(5, run.Code);
        Assert.Equal("DaemonUnavailable", JsonDocument.Parse(run.Error).RootElement.GetProperty("code").GetString());
    }

    private async Task<string> TableAsync(params string[] arguments)
    {
        CtlRun run = await RunAsync(arguments);
        Assert.Equal((0, ""), (run.Code, run.Error));
        return run.Output;
    }

    private async Task<JsonElement> JsonAsync(params string[] arguments)
    {
        CtlRun run = await RunAsync([.. arguments, "--json"]);
        Assert.Equal((0, ""), (run.Code, run.Error));
        return JsonDocument.Parse(run.Output).RootElement;
    }

    private Task<CtlRun> RunAsync(params string[] arguments) => CtlRun.StartAsync(Programs.Control, [.. arguments, "--socket", fixture.Daemon.ControlSocket]);
}
