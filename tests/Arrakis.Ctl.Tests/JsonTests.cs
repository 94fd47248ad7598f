namespace Arrakis.Ctl.Tests;

public sealed class JsonTests
{
    private const string BindingJson = """
        {
          "bindingId": 7,
          "generation": 3,
          "state": "Active",
          "device": "soft0",
          "virtualFunction": 1,
          "processId": 4242,
          "userId": 1000,
          "executable": "/usr/bin/echo-server",
          "mac": "02:00:00:00:00:07",
          "address": "10.7.0.2/24",
          "queuePairs": 1,
          "memoryLength": 6291456,
          "pageSize": 2097152,
          "rate": {
            "bitsPerSecond": 2500000000,
            "burstBytes": 65536
          },
          "linkUp": true,
          "dmaFaults": 0,
          "boundAt": "2026-01-02T03:04:05+00:00"
        }
        """;

    private const string SharedAreaJson = """
        {
          "name": "prices",
          "device": "disk0",
          "owner": 0,
          "sharedRead": true,
          "length": 1048576,
          "blockSize": 4096,
          "extents": 1,
          "bindings": []
        }
        """;

    [Theory]
    [InlineData("describe 7", BindingJson)]
    [InlineData("area list", """
        [
          {
            "name": "orders.log",
            "device": "disk0",
            "owner": 1000,
            "sharedRead": false,
            "length": 3221225472,
            "blockSize": 4096,
            "extents": 2,
            "bindings": [
              9,
              12
            ]
          },
          {
            "name": "prices",
            "device": "disk0",
            "owner": 0,
            "sharedRead": true,
            "length": 1048576,
            "blockSize": 4096,
            "extents": 1,
            "bindings": []
          }
        ]
        """)]
    [InlineData("area create prices --size 1M", SharedAreaJson)]
    [InlineData("area grow prices --size 1M", SharedAreaJson)]
    [InlineData("area rename prices prices", SharedAreaJson)]
    [InlineData("area chown prices root", SharedAreaJson)]
    [InlineData("area share prices", SharedAreaJson)]
    [InlineData("area unshare prices", SharedAreaJson)]
    [InlineData("area delete prices", """
        {
          "area": "prices"
        }
        """)]
    [InlineData("revoke 7", """
        {
          "bindingId": 7,
          "mode": "Invisible"
        }
        """)]
    [InlineData("revoke 7 --visible", """
        {
          "bindingId": 7,
          "mode": "Visible"
        }
        """)]
    [InlineData("functions", """
        [
          {
            "device": "soft0",
            "index": 0,
            "generation": 0
          },
          {
            "device": "soft0",
            "index": 1,
            "generation": 3,
            "bindingId": 7,
            "mac": "02:00:00:00:00:07",
            "address": "10.7.0.2/24",
            "processId": 4242,
            "executable": "/usr/bin/echo-server"
          }
        ]
        """)]
    [InlineData("devices", """
        [
          {
            "name": "soft0",
            "kind": "soft",
            "up": true,
            "processId": 4100,
            "restarts": 1,
            "uplink": "arrakis0",
            "virtualFunctions": [
              {
                "index": 0,
                "generation": 0,
                "counters": {
                  "framesIn": 0,
                  "bytesIn": 0,
                  "framesOut": 0,
                  "bytesOut": 0,
                  "drops": {}
                }
              },
              {
                "index": 1,
                "bindingId": 7,
                "generation": 3,
                "counters": {
                  "framesIn": 10,
                  "bytesIn": 640,
                  "framesOut": 12,
                  "bytesOut": 768,
                  "drops": {
                    "spoofed-source-mac": 2,
                    "rate": 0
                  }
                }
              }
            ],
            "ports": {
              "uplink": {
                "framesIn": 1,
                "bytesIn": 42,
                "framesOut": 0,
                "bytesOut": 0,
                "drops": {}
              },
              "tester": {
                "framesIn": 0,
                "bytesIn": 0,
                "framesOut": 0,
                "bytesOut": 0,
                "drops": {}
              }
            }
          }
        ]
        """)]
    [InlineData("test 7", """
        {
          "sent": 1000001,
          "received": 1000000,
          "lost": 1,
          "corrupt": 0,
          "delayed": 0,
          "unsent": 0,
          "seconds": 2,
          "roundTrip": {
            "p50": 1310,
            "p99": 2020,
            "p999": 3500,
            "p9999": 15000,
            "max": 21250
          }
        }
        """)]
    public async Task A_command_writes_this_json(string commandLine, string expected)
    {
        Run run = await Run.AgainstExampleAsync([.. commandLine.Split(' '), "--json"]);

        Assert.Equal("", run.Error);
        Assert.Equal(expected, run.Output);
        Assert.Equal(0, run.Code);
    }

    [Fact]
    public async Task Bindings_are_an_array_of_what_describe_shows()
    {
        Run run = await Run.AgainstExampleAsync("bindings", "--json");

        string indented = string.Join('\n', BindingJson.Split('\n').Select(static line => "  " + line));
        Assert.Equal($"[\n{indented}\n]", run.Output);
    }

    [Fact]
    public async Task Counters_have_a_row_for_each_port()
    {
        Run run = await Run.AgainstExampleAsync("counters", "--device", "soft0", "--json");

        using var document = System.Text.Json.JsonDocument.Parse(run.Output);
        Assert.Equal(["vf0", "vf1", "tester", "uplink"], document.RootElement.EnumerateArray().Select(static row => row.GetProperty("port").GetString()));
        Assert.Equal(2, document.RootElement[1].GetProperty("drops").GetProperty("spoofed-source-mac").GetInt64());
    }

    [Fact]
    public async Task An_error_is_json_on_standard_error()
    {
        Run run = await Run.AgainstExampleAsync("describe", "8", "--json");

        Assert.Equal("", run.Output);
        Assert.Equal("""
            {
              "code": "UnknownBinding",
              "cause": "There is no such binding.",
              "remedy": "List them with 'arrakisctl bindings'.",
              "exitCode": 4
            }
            """, run.Error);
    }
}
