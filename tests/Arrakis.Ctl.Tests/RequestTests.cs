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
                TargetMac = Example.Binding.Mac,
                Target = Example.Binding.Address.Address,
                TargetPort = 9,
                Source = Ipv4Address.Parse("10.7.0.254"),
                PayloadLength = 64,
                InFlight = 32,
                DurationMilliseconds = 2000,
                WarmupMilliseconds = 50,
            },
            request.Plan);
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
