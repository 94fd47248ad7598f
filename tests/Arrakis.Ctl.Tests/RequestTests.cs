using Arrakis.Contract.Control;
using Arrakis.Wire;

namespace Arrakis.Ctl.Tests;

public sealed class RequestTests
{
    [Fact]
    public async Task A_visible_revocation_carries_its_deadline()
    {
        RevokeRequest request = await LastAsync<RevokeRequest>("revoke", "7", "--visible", "--deadline", "1.5s");

        Assert.Equal(RevocationMode.Visible, request.Mode);
        Assert.Equal(1500, request.DeadlineMilliseconds);
    }

    [Fact]
    public async Task A_test_is_sent_to_the_binding_from_the_highest_free_address()
    {
        RunTestRequest request = await LastAsync<RunTestRequest>("test", "7", "--port", "9", "--in-flight", "32", "--duration", "2s", "--warmup", "50ms", "--payload", "64");

        Assert.Equal("soft0", request.Device);
        Assert.Equal(
            new TestPlan
            {
                TargetMac = Example.Binding.Mac!.Value,
                Target = Example.Binding.Address!.Value.Address,
                TargetPort = 9,
                Source = Ipv4Address.Parse("10.7.0.254"),
                PayloadLength = 64,
                InFlight = 32,
                DurationMilliseconds = 2000,
                WarmupMilliseconds = 50,
            },
            request.Plan);
    }

    [Theory]
    [InlineData("4096", 4096L)]
    [InlineData("1K", 1024L)]
    [InlineData("512M", 512L << 20)]
    [InlineData("1.5g", 3L << 29)]
    [InlineData("1GiB", 1L << 30)]
    [InlineData("2TB", 2L << 40)]
    public async Task A_size_is_read_in_units_of_1024(string size, long expected)
    {
        CreateAreaRequest request = await LastAsync<CreateAreaRequest>("area", "create", "log", "--size", size);

        Assert.Equal(new CreateAreaRequest { Id = request.Id, Area = "log", Length = expected }, request);
    }

    [Fact]
    public async Task A_new_area_has_the_device_and_the_owner_that_are_named()
    {
        CreateAreaRequest request = await LastAsync<CreateAreaRequest>("area", "create", "log", "--size", "1G", "--device", "disk0", "--owner", "daemon");

        Assert.Equal(new CreateAreaRequest { Id = request.Id, Area = "log", Length = 1 << 30, Device = "disk0", Owner = 1 }, request);
    }

    [Fact]
    public async Task An_area_is_made_longer()
    {
        GrowAreaRequest request = await LastAsync<GrowAreaRequest>("area", "grow", "prices", "--size", "2G");

        Assert.Equal(new GrowAreaRequest { Id = request.Id, Area = "prices", Length = 2L << 30 }, request);
    }

    [Theory]
    [InlineData("rename prices quotes", "quotes", null, null)]
    [InlineData("chown prices 1001", null, 1001u, null)]
    [InlineData("chown prices root", null, 0u, null)]
    [InlineData("share prices", null, null, true)]
    [InlineData("unshare prices", null, null, false)]
    public async Task A_change_of_an_area_changes_nothing_else(string commandLine, string? newName, uint? owner, bool? sharedRead)
    {
        ChangeAreaRequest request = await LastAsync<ChangeAreaRequest>(["area", .. commandLine.Split(' ')]);

        Assert.Equal(new ChangeAreaRequest { Id = request.Id, Area = "prices", NewName = newName, Owner = owner, SharedRead = sharedRead }, request);
    }

    [Fact]
    public async Task The_environment_names_the_socket_where_the_command_line_does_not()
    {
        await using var daemon = new FakeDaemon(Example.Answer);
        Environment.SetEnvironmentVariable(ControlProtocol.SocketPathVariable, daemon.SocketPath);
        try
        {
            Assert.Equal(0, (await Run.OfAsync("devices")).Code);
        }
        finally
        {
            Environment.SetEnvironmentVariable(ControlProtocol.SocketPathVariable, null);
        }
    }

    private static async Task<T> LastAsync<T>(params string[] arguments)
        where T : ControlRequest
    {
        await using var daemon = new FakeDaemon(Example.Answer);
        Run run = await Run.OfAsync([.. arguments, "--socket", daemon.SocketPath]);
        Assert.Equal("", run.Error);
        return Assert.IsType<T>(daemon.Requests.Last());
    }
}
