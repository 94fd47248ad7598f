using Arrakis.Contract.Control;

namespace Arrakis.Ctl.Tests;

/// <summary>Counters of a device of blocks, alone and beside a NIC.</summary>
public sealed class CountersTests
{
    private static readonly DeviceDescription _disk = new()
    {
        Name = "soft0-blk",
        Kind = "soft-block",
        Up = true,
        Restarts = 0,
        VirtualFunctions =
        [
            new()
            {
                Index = 0,
                Generation = 2,
                Counters = new(),
                BlockCounters = new()
                {
                    Reads = 10,
                    BytesRead = 40960,
                    Writes = 3,
                    BytesWritten = 12288,
                    Flushes = 2,
                    Discards = 1,
                    WriteZeroes = 4,
                    Errors = 5,
                    Refusals = new Dictionary<string, long> { ["outside-area"] = 6, ["read-only"] = 0 },
                },
            },
            new() { Index = 1, Generation = 0, Counters = new(), BlockCounters = new() },
        ],
        Ports = new Dictionary<string, PortCounters>(),
    };

    [Fact]
    public async Task Block_functions_have_a_table_of_their_own()
    {
        Run run = await Run.AgainstAsync(_ => new DevicesReply { Id = 0, Devices = [_disk] }, "counters");

        Assert.Equal("""
            DEVICE     PORT  READS  BYTES READ  WRITES  BYTES WRITTEN  FLUSHES  DISCARDS  ZEROES  ERRORS  REFUSALS
            soft0-blk  blk0     10       40960       3          12288        2         1       4       5  outside-area=6
            soft0-blk  blk1      0           0       0              0        0         0       0       0  -
            """, run.Output);
        Assert.Equal(0, run.Code);
    }

    [Fact]
    public async Task The_table_of_the_switch_comes_before_it()
    {
        Run run = await Run.AgainstAsync(_ => new DevicesReply { Id = 0, Devices = [_disk, Example.Device] }, "counters");

        Assert.Equal(
            ["DEVICE", "soft0", "soft0", "soft0", "soft0", "", "DEVICE", "soft0-blk", "soft0-blk"],
            run.Output.Split('\n').Select(static line => line.Split(' ')[0]));
    }

    [Fact]
    public async Task In_json_they_are_rows_of_one_array()
    {
        Run run = await Run.AgainstAsync(_ => new DevicesReply { Id = 0, Devices = [_disk, Example.Device] }, "counters", "--json");

        Assert.StartsWith("""
            [
              {
                "device": "soft0-blk",
                "port": "blk0",
                "reads": 10,
                "bytesRead": 40960,
                "writes": 3,
                "bytesWritten": 12288,
                "flushes": 2,
                "discards": 1,
                "writeZeroes": 4,
                "errors": 5,
                "refusals": {
                  "outside-area": 6,
                  "read-only": 0
                }
              },
            """, run.Output, StringComparison.Ordinal);
        using var document = System.Text.Json.JsonDocument.Parse(run.Output);
        Assert.Equal(["blk0", "blk1", "vf0", "vf1", "tester", "uplink"], document.RootElement.EnumerateArray().Select(static row => row.GetProperty("port").GetString()));
    }

    [Fact]
    public async Task Without_any_it_says_so()
    {
        Run run = await Run.AgainstAsync(_ => new DevicesReply { Id = 0, Devices = [] }, "counters");

        Assert.Equal("There is no port that you may see.", run.Output);
    }
}
