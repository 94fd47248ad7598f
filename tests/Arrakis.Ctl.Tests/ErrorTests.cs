using Arrakis.Contract;
using Arrakis.Contract.Control;
using TestResult = Arrakis.Contract.Control.TestResult;

namespace Arrakis.Ctl.Tests;

public sealed class ErrorTests
{
    [Theory]
    [InlineData(ErrorCode.Internal, 1)]
    [InlineData(ErrorCode.UnsupportedVersion, 1)]
    [InlineData(ErrorCode.InvalidRequest, 2)]
    [InlineData(ErrorCode.Unauthorized, 3)]
    [InlineData(ErrorCode.NotHolder, 3)]
    [InlineData(ErrorCode.UnknownBinding, 4)]
    [InlineData(ErrorCode.UnknownDevice, 4)]
    [InlineData(ErrorCode.UnknownArea, 4)]
    [InlineData(ErrorCode.AreaExists, 2)]
    [InlineData(ErrorCode.AreaInUse, 5)]
    [InlineData(ErrorCode.StorageExhausted, 5)]
    [InlineData(ErrorCode.DataCorrupt, 1)]
    [InlineData(ErrorCode.DeviceUnavailable, 5)]
    [InlineData(ErrorCode.TooManyConnections, 5)]
    public async Task An_error_of_the_daemon_is_shown_with_its_remedy_and_has_this_exit_code(ErrorCode code, int expected)
    {
        Run run = await Run.AgainstAsync(_ => throw new ArrakisException(code, "It is so.", "Do this."), "bindings");

        Assert.Equal("", run.Output);
        Assert.Equal("arrakisctl: It is so.\n  Do this.", run.Error);
        Assert.Equal(expected, run.Code);
    }

    [Fact]
    public async Task Without_a_daemon_the_error_names_the_socket_and_the_remedy()
    {
        Run run = await Run.OfAsync("devices", "--socket", "/nowhere/control.sock");

        Assert.Equal(5, run.Code);
        Assert.Contains("/nowhere/control.sock", run.Error, StringComparison.Ordinal);
        Assert.Contains("systemctl start arrakisd", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("frobnicate")]
    [InlineData("describe")]
    [InlineData("describe seven")]
    [InlineData("revoke 7 --deadline 500ms")]
    [InlineData("revoke 7 --visible --deadline soon")]
    [InlineData("test 7 --source 10.7.0")]
    [InlineData("bench 7 --rates 10%,")]
    [InlineData("bench 7 --rates -5")]
    [InlineData("bench 7 --rates 2000%")]
    [InlineData("bench 7 --rates 10%,20% --soak 1min")]
    [InlineData("bench 7 --arrivals sometimes")]
    [InlineData("area")]
    [InlineData("area create")]
    [InlineData("area create log")]
    [InlineData("area create log --size 0")]
    [InlineData("area create log --size -1")]
    [InlineData("area create log --size big")]
    [InlineData("area create log --size 1.3")]
    [InlineData("area create log --size 9223372036854775808")]
    [InlineData("area create log --size 8388608T")]
    [InlineData("area create log --size 1G --owner nobody-of-that-name")]
    [InlineData("area chown log nobody-of-that-name")]
    [InlineData("area rename log")]
    [InlineData("completion csh")]
    public async Task A_command_line_that_makes_no_sense_ends_with_2_and_points_to_the_help(string commandLine)
    {
        Run run = await Run.OfAsync(commandLine.Split(' ', StringSplitOptions.RemoveEmptyEntries));

        Assert.Equal(2, run.Code);
        Assert.Equal("", run.Output);
        Assert.Contains("--help", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_device_that_is_not_there_is_named_beside_those_that_are()
    {
        Run run = await Run.AgainstExampleAsync("counters", "--device", "soft9");

        Assert.Equal(4, run.Code);
        Assert.Equal("arrakisctl: There is no device 'soft9' that you may see.\n  There are: soft0.", run.Error);
    }

    [Fact]
    public async Task An_area_that_is_bound_is_not_deleted()
    {
        Run run = await Run.AgainstExampleAsync("area", "delete", "orders.log", "--json");

        Assert.Equal(5, run.Code);
        Assert.Equal("", run.Output);
        Assert.Equal(
            """
            {
              "code": "AreaInUse",
              "cause": "Storage area 'orders.log' is bound.",
              "remedy": "Revoke its bindings.",
              "exitCode": 5
            }
            """,
            run.Error);
    }

    [Fact]
    public async Task A_test_without_a_reply_ends_with_6()
    {
        TestResult silent = Example.Test with { Received = 0 };
        Run run = await Run.AgainstAsync(request => request is RunTestRequest ? new TestReply { Id = 0, Result = silent } : Example.Answer(request), "test", "7");

        Assert.Equal(6, run.Code);
        Assert.Contains("is an echo server on UDP port 7 of 10.7.0.2", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Help_lists_the_exit_codes()
    {
        Run run = await Run.OfAsync("--help");

        Assert.Equal(0, run.Code);
        foreach (ExitCode code in Enum.GetValues<ExitCode>())
        {
            Assert.Matches($@"(?m)^\s+{(int)code}\s", run.Output);
        }
    }
}
