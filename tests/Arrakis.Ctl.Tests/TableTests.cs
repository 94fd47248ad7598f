namespace Arrakis.Ctl.Tests;

public sealed class TableTests
{
    private const string OneArea = """
        AREA    DEVICE  SIZE   BLOCK  EXTENTS  OWNER  READ BY  BINDINGS
        prices  disk0   1 MiB   4096        1      0  all      -
        """;

    [Theory]
    [InlineData("devices", """
        DEVICE  KIND  STATE  FUNCTIONS  BOUND  UPLINK     PID  RESTARTS
        soft0   soft  up             2      1  arrakis0  4100         1
        """)]
    [InlineData("functions", """
        DEVICE  VF  GENERATION  BINDING  MAC                ADDRESS       PID  PROGRAM
        soft0    0           0        -  -                  -               -  -
        soft0    1           3        7  02:00:00:00:00:07  10.7.0.2/24  4242  /usr/bin/echo-server
        """)]
    [InlineData("bindings", """
        BINDING  STATE   LINK  DEVICE  VF  MAC                ADDRESS      PAIRS  MEMORY   PID   UID  PROGRAM
              7  active  up    soft0    1  02:00:00:00:00:07  10.7.0.2/24      1  6 MiB   4242  1000  /usr/bin/echo-server
        """)]
    [InlineData("counters", """
        DEVICE  PORT    FRAMES IN  BYTES IN  FRAMES OUT  BYTES OUT  DROPS
        soft0   vf0             0         0           0          0  -
        soft0   vf1            10       640          12        768  spoofed-source-mac=2
        soft0   tester          0         0           0          0  -
        soft0   uplink          1        42           0          0  -
        """)]
    [InlineData("describe 7", """
        BINDING           7
        generation        3
        state             active
        link              up
        device            soft0
        virtual function  1
        MAC address       02:00:00:00:00:07
        IPv4 address      10.7.0.2/24
        queue pairs       1
        queue memory      6 MiB in pages of 2 MiB
        sending limit     2.5 Gbit/s, bursts of 64 KiB
        process           4242
        user              1000
        program           /usr/bin/echo-server
        bound at          2026-01-02 03:04:05Z
        """)]
    [InlineData("test 7", """
        TARGET         SENT  RECEIVED  LOST  CORRUPT  REQUESTS/S  P50      P99      P99.9    P99.99    MAX
        10.7.0.2:7  1000001   1000000     1        0      500000  1.31 µs  2.02 µs  3.50 µs  15.00 µs  21.25 µs
        """)]
    [InlineData("revoke 7", "Binding 7 is revoked.")]
    [InlineData("area list", """
        AREA        DEVICE  SIZE   BLOCK  EXTENTS  OWNER  READ BY  BINDINGS
        orders.log  disk0   3 GiB   4096        2   1000  owner    9, 12
        prices      disk0   1 MiB   4096        1      0  all      -
        """)]
    [InlineData("area create prices --size 1M", OneArea)]
    [InlineData("area grow prices --size 1M", OneArea)]
    [InlineData("area rename prices prices", OneArea)]
    [InlineData("area chown prices root", OneArea)]
    [InlineData("area share prices", OneArea)]
    [InlineData("area unshare prices", OneArea)]
    [InlineData("area delete prices", "Area prices is deleted.")]
    public async Task A_command_writes_this_table(string commandLine, string expected)
    {
        Run run = await Run.AgainstExampleAsync(commandLine.Split(' '));

        Assert.Equal("", run.Error);
        Assert.Equal(expected, run.Output);
        Assert.Equal(0, run.Code);
    }

    [Fact]
    public async Task Where_nothing_is_bound_the_list_says_so()
    {
        Run run = await Run.AgainstAsync(static _ => new Contract.Control.BindingsReply { Id = 0, Bindings = [] }, "bindings");

        Assert.Equal("There are no bindings.", run.Output);
    }

    [Fact]
    public async Task Where_there_is_no_area_the_list_says_so()
    {
        Run run = await Run.AgainstAsync(static _ => new Contract.Control.AreasReply { Id = 0, Areas = [] }, "area", "list");

        Assert.Equal("There is no storage area that you may bind.", run.Output);
    }
}
