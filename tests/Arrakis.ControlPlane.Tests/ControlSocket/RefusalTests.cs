using System.Globalization;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Native;
using Arrakis.TestBed.Daemon;
using Arrakis.TestBed.Machine;
using Arrakis.Wire;

namespace Arrakis.ControlPlane.Tests.ControlSocket;

/// <summary>What a real daemon does not grant: each time a typed error with its cause and what to do.</summary>
public sealed class RefusalTests : IAsyncLifetime
{
    private const uint Nobody = 65534;
    private const uint Administrator = 65533;

    private const string Policy = """
        { "rules": [
          { "name": "tests", "uid": 0, "devices": ["soft0"], "virtualFunctions": 3, "memoryBytes": 16777216, "queueSize": 256, "rateBitsPerSecond": 10000000, "macs": "local" },
          { "name": "boss", "uid": 65533, "administrator": true } ] }
        """;

    private readonly Teardown _teardown = new();
    private readonly List<Descriptor> _granted = [];
    private DaemonProcess _daemon = null!;
    private RawClient _client = null!;

    public async ValueTask InitializeAsync()
    {
        _daemon = await DaemonProcess.StartAsync(new DaemonSetup { Functions = 2, Policy = Policy });
        _client = await RawClient.GreetAsync(_daemon.ControlSocket);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        _granted.ForEach(static descriptor => descriptor.Dispose());
        await _daemon.DisposeAsync();
        await _teardown.DisposeAsync();
    }

    [Fact]
    public async Task A_user_of_whom_no_rule_speaks_gets_and_sees_nothing()
    {
        Grant grant = await BindAsync();
        using RawClient nobody = await AsUser.GreetAsync(_daemon.ControlSocket, Nobody);
        ErrorReply error = await nobody.AskErrorAsync(ErrorCode.Unauthorized, Bind(nobody));
        Assert.Contains("uid 65534", error.Cause, StringComparison.Ordinal);
        Assert.Empty(await nobody.ListAsync());
        Assert.Empty(Assert.IsType<DevicesReply>(await nobody.AskAsync(new ListDevicesRequest { Id = nobody.NextId() })).Devices);
        _ = await nobody.AskErrorAsync(ErrorCode.UnknownBinding, new DescribeRequest { Id = nobody.NextId(), BindingId = grant.BindingId });
        ErrorReply unknown = await nobody.AskErrorAsync(ErrorCode.UnknownDevice, Bind(nobody) with { Device = "nic9" });
        Assert.DoesNotContain("soft0", unknown.Cause + unknown.Remedy, StringComparison.Ordinal);
        await _daemon.UntilAsync(() => _daemon.Log.Contains("Denied: pid", StringComparison.Ordinal) && _daemon.Log.Contains("No rule of the policy matches uid 65534", StringComparison.Ordinal), "the denial and its reason in the log");
    }

    [Fact]
    public async Task What_is_allowed_is_logged_with_the_rule()
    {
        _ = await BindAsync();
        await _daemon.UntilAsync(() => _daemon.Log.Contains("binds soft0 by rule 'tests'", StringComparison.Ordinal), "the decision in the log");
    }

    [Fact]
    public async Task Only_an_administrator_revokes_and_tests_and_nobody_releases_what_is_anothers()
    {
        Grant grant = await BindAsync();
        var plan = new TestPlan { TargetMac = grant.Mac, Target = grant.Address.Address, TargetPort = 7, Source = Ipv4Address.Parse("10.97.0.200", null) };
        _ = await _client.AskErrorAsync(ErrorCode.Unauthorized, new RevokeRequest { Id = _client.NextId(), BindingId = grant.BindingId });
        _ = await _client.AskErrorAsync(ErrorCode.Unauthorized, new RunTestRequest { Id = _client.NextId(), Device = "soft0", Plan = plan });
        using RawClient boss = await AsUser.GreetAsync(_daemon.ControlSocket, Administrator);
        ErrorReply foreign = await boss.AskErrorAsync(ErrorCode.NotHolder, new ReleaseRequest { Id = boss.NextId(), BindingId = grant.BindingId, Generation = grant.Generation });
        Assert.Contains($"process {Environment.ProcessId}", foreign.Cause, StringComparison.Ordinal);
        Assert.Single(await boss.ListAsync());
        _ = await boss.AskErrorAsync(ErrorCode.InvalidRequest, new RunTestRequest { Id = boss.NextId(), Device = "soft0", Plan = plan with { WarmupMilliseconds = int.MaxValue, DurationMilliseconds = int.MaxValue } });
        _ = await boss.AskErrorAsync(ErrorCode.InvalidRequest, new RunTestRequest { Id = boss.NextId(), Device = "soft0", Plan = plan with { DurationMilliseconds = -1 } });
        _ = await boss.AskErrorAsync(ErrorCode.AddressTaken, new RunTestRequest { Id = boss.NextId(), Device = "soft0", Plan = plan with { Source = grant.Address.Address } });
        _ = await boss.AskErrorAsync(ErrorCode.InvalidRequest, new RevokeRequest { Id = boss.NextId(), BindingId = grant.BindingId, DeadlineMilliseconds = -1 });
        _ = await boss.AskErrorAsync(ErrorCode.UnknownBinding, new RevokeRequest { Id = boss.NextId(), BindingId = 12345 });
        _ = Assert.IsType<DoneReply>(await boss.AskAsync(new RevokeRequest { Id = boss.NextId(), BindingId = grant.BindingId }));
        Assert.Empty(await boss.ListAsync());
    }

    [Fact]
    public async Task An_unknown_device_is_named_with_those_that_there_are()
    {
        ErrorReply error = await _client.AskErrorAsync(ErrorCode.UnknownDevice, Bind(_client) with { Device = "nic9" });
        Assert.Contains("'nic9'", error.Cause, StringComparison.Ordinal);
        Assert.Contains("soft0", error.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Functions_run_out_and_come_back()
    {
        Grant first = await BindAsync();
        _ = await BindAsync();
        _ = await _client.AskErrorAsync(ErrorCode.NoFreeVirtualFunction, Bind(_client));
        await _client.ReleaseAsync(first);
        Assert.Equal(first.Generation + 1, (await BindAsync()).Generation);
    }

    [Fact]
    public async Task Memory_rate_and_rings_are_bounded()
    {
        ErrorReply memory = await _client.AskErrorAsync(ErrorCode.MemoryExhausted, Bind(_client) with { Buffers = 16384 });
        Assert.Contains("'tests'", memory.Cause, StringComparison.Ordinal);
        _ = await _client.AskErrorAsync(ErrorCode.RateExhausted, Bind(_client) with { Rate = new RateSpecifier(10_000_001, 65536) });
        _ = await _client.AskErrorAsync(ErrorCode.RateExhausted, Bind(_client) with { Rate = new RateSpecifier(1000, int.MaxValue) });
        _ = await _client.AskErrorAsync(ErrorCode.InvalidRequest, Bind(_client) with { Rate = new RateSpecifier(0, 65536) });
        _ = await _client.AskErrorAsync(ErrorCode.QueuesExhausted, Bind(_client) with { QueueSize = 512 });
        _ = await _client.AskErrorAsync(ErrorCode.InvalidRequest, Bind(_client) with { QueueSize = 100 });
        _ = await _client.AskErrorAsync(ErrorCode.InvalidRequest, Bind(_client) with { Filter = [.. Enumerable.Repeat(new FilterRule(), 65)] });
        Grant all = await BindAsync(static request => request with { Rate = new RateSpecifier(10_000_000, 65536) });
        _ = await _client.AskErrorAsync(ErrorCode.RateExhausted, Bind(_client));
        await _client.ReleaseAsync(all);
        _ = await BindAsync();
    }

    [Fact]
    public async Task Addresses_are_given_once()
    {
        Grant first = await BindAsync();
        ErrorReply mac = await _client.AskErrorAsync(ErrorCode.MacAddressTaken, Bind(_client) with { Mac = first.Mac });
        Assert.Contains($"binding {first.BindingId}", mac.Cause, StringComparison.Ordinal);
        ErrorReply address = await _client.AskErrorAsync(ErrorCode.AddressTaken, Bind(_client) with { Address = first.Address });
        Assert.Contains($"binding {first.BindingId}", address.Cause, StringComparison.Ordinal);
        _ = await _client.AskErrorAsync(ErrorCode.InvalidRequest, Bind(_client) with { Address = Ipv4Prefix.Parse("10.98.0.1/24", null) });
        _ = await _client.AskErrorAsync(ErrorCode.InvalidRequest, Bind(_client) with { Address = Ipv4Prefix.Parse("10.97.0.255/24", null) });
        _ = await _client.AskErrorAsync(ErrorCode.Unauthorized, Bind(_client) with { Mac = MacAddress.Parse("00:16:3e:00:00:01", null) });
        _ = await _client.AskErrorAsync(ErrorCode.Unauthorized, Bind(_client) with { Mac = MacAddress.Parse("00:00:00:00:00:00", null) });
    }

    [Fact]
    public async Task What_the_kernels_own_interfaces_have_is_taken()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        string link = string.Create(CultureInfo.InvariantCulture, $"cpt{Environment.ProcessId}");
        _teardown.Add($"delete {link}", () => Command.RunAsync("ip", ["link", "delete", link], CancellationToken.None));
        await Command.RunAsync("ip", ["link", "add", link, "type", "veth", "peer", "name", $"{link}p"], cancellation);
        await Command.RunAsync("ip", ["address", "add", "10.97.0.77/32", "dev", link], cancellation);
        await Command.RunAsync("ip", ["link", "set", link, "address", "02:77:00:00:00:01"], cancellation);

        ErrorReply address = await _client.AskErrorAsync(ErrorCode.AddressTaken, Bind(_client) with { Address = Ipv4Prefix.Parse("10.97.0.77/24", null) });
        Assert.Contains(link, address.Cause, StringComparison.Ordinal);
        ErrorReply mac = await _client.AskErrorAsync(ErrorCode.MacAddressTaken, Bind(_client) with { Mac = MacAddress.Parse("02:77:00:00:00:01", null) });
        Assert.Contains(link, mac.Cause, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_policy_is_reloaded_on_a_hangup_and_a_broken_one_never_comes_into_force()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        _daemon.WritePolicy("{ \"rules\": [\n  { \"name\": \"open\", \"anyone\": true, \"devices\": [\"soft0\"] } ] }");
        await _daemon.ReloadAsync("loaded: 1 rules", cancellation);
        using RawClient nobody = await AsUser.GreetAsync(_daemon.ControlSocket, Nobody);
        Grant grant = (await nobody.BindAsync()).Grant;
        await nobody.ReleaseAsync(grant);

        _daemon.WritePolicy("{ \"rules\": [\n  { \"name\": \"closed\", \"uid\": 0, \"devices\": \"soft0\" } ] }");
        await _daemon.ReloadAsync("policy.json(2,", cancellation);
        Assert.Contains("the old one stays in force", _daemon.Log, StringComparison.Ordinal);
        _ = await nobody.BindAsync();
    }

    private static BindNicRequest Bind(RawClient client) => new() { Id = client.NextId(), Device = "soft0", QueueSize = 64, Buffers = 16 };

    private async Task<Grant> BindAsync(Func<BindNicRequest, BindNicRequest>? adjust = null)
    {
        (Grant grant, IReadOnlyList<Descriptor> descriptors) = await _client.BindAsync(adjust);
        _granted.AddRange(descriptors);
        return grant;
    }
}
