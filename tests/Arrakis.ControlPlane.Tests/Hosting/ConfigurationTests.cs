using Arrakis.ControlPlane.Hosting;
using Microsoft.Extensions.Options;

namespace Arrakis.ControlPlane.Tests.Hosting;

public sealed class ConfigurationTests
{
    [Theory]
    [InlineData("{ \"keeper\": }", "(1,13): ")]
    [InlineData("{ \"keeper\": \"nobody\" }", "$.keeper")]
    [InlineData("{\n\n  \"color\": 1 }", "(3,")]
    [InlineData("{ \"limits\": null }", "(1,")]
    [InlineData("{ \"limits\": { \"connections\": \"many\" } }", "$.limits.connections")]
    [InlineData("{ \"keeper\": \"none\", \"keeper\": \"none\" }", "(1,")]
    [InlineData("{ \"devices\": [ { \"kind\": \"usb\", \"name\": \"a\" } ] }", "usb")]
    [InlineData("{ \"devices\": [ { \"kind\": \"soft\" } ] }", "name")]
    [InlineData("{ \"devices\": [ { \"kind\": \"soft\", \"name\": \"a\", \"networks\": [\"10.0.0.0/99\"] } ] }", "networks")]
    [InlineData("null", "null")]
    public void A_broken_file_is_refused_with_its_place(string text, string what)
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, text);
            string fault = Assert.Throws<ConfigurationException>(() => ConfigurationFile.Read(path)).Message;
            Assert.StartsWith(path, fault, StringComparison.Ordinal);
            Assert.Contains(what, fault, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void What_the_file_leaves_out_has_its_default()
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, "{ \"devices\": [ { \"name\": \"a\", \"kind\": \"soft\", }, ], /* the rest is as usual */ }");
            DaemonOptions options = ConfigurationFile.Read(path);
            var soft = Assert.IsType<SoftDeviceOptions>(Assert.Single(options.Devices));
            Assert.Equal(("adaptive", 8, 1500), (soft.Idle, soft.Functions, soft.Mtu));
            Assert.Equal((KeeperKind.Auto, "0660", 1024), (options.Keeper, options.Socket.Mode, options.Limits.Connections));
            Assert.True(new DaemonOptionsValidator().Validate(null, options).Succeeded);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Theory]
    [InlineData("socket", "{ \"socket\": { \"path\": \"relative.sock\" } }", "socket.path")]
    [InlineData("mode", "{ \"socket\": { \"mode\": \"0999\" } }", "socket.mode")]
    [InlineData("runtime", "{ \"runtimeDirectory\": \"@abstract\" }", "runtimeDirectory")]
    [InlineData("policy", "{ \"policyFile\": \"\" }", "policyFile")]
    [InlineData("state", "{ \"stateDirectory\": \"lib\" }", "stateDirectory")]
    [InlineData("block file", "{ \"devices\": [ { \"kind\": \"soft\", \"name\": \"a\", \"blocks\": { \"file\": \"x\" } } ] }", "devices[0].blocks.file")]
    [InlineData("block size", "{ \"devices\": [ { \"kind\": \"soft\", \"name\": \"a\", \"blocks\": { \"file\": \"/x\", \"blockSize\": 1000 } } ] }", "blocks.blockSize is 1000")]
    [InlineData("block functions", "{ \"devices\": [ { \"kind\": \"soft\", \"name\": \"a\", \"blocks\": { \"file\": \"/x\", \"functions\": 65 } } ] }", "blocks.functions is 65")]
    [InlineData("block name", "{ \"devices\": [ { \"kind\": \"soft\", \"name\": \"a-blk\" }, { \"kind\": \"soft\", \"name\": \"a\", \"blocks\": { \"file\": \"/x\" } } ] }", "'a-blk'")]
    [InlineData("no disks", "{ \"devices\": [ { \"kind\": \"vhost-user-block\", \"name\": \"a\", \"disks\": [] } ] }", "disks has 0 entries")]
    [InlineData("null disk", "{ \"devices\": [ { \"kind\": \"vhost-user-block\", \"name\": \"a\", \"disks\": [ null ] } ] }", "disks[0] is null")]
    [InlineData("disk name", "{ \"devices\": [ { \"kind\": \"vhost-user-block\", \"name\": \"a\", \"disks\": [ { \"socket\": \"/a\", \"area\": \"A\" } ] } ] }", "disks[0].area 'A'")]
    [InlineData("disk twice", "{ \"devices\": [ { \"kind\": \"vhost-user-block\", \"name\": \"a\", \"disks\": [ { \"socket\": \"/a\", \"area\": \"a\" }, { \"socket\": \"/b\", \"area\": \"a\" } ] } ] }", "'a' is there twice")]
    [InlineData("disk socket", "{ \"devices\": [ { \"kind\": \"vhost-user-block\", \"name\": \"a\", \"disks\": [ { \"socket\": \"a\", \"area\": \"a\" } ] } ] }", "disks[0].socket")]
    [InlineData("nvme of nothing", "{ \"devices\": [ { \"kind\": \"nvme\", \"name\": \"a\" } ] }", "either function")]
    [InlineData("nvme of two", "{ \"devices\": [ { \"kind\": \"nvme\", \"name\": \"a\", \"function\": \"0000:01:00.0\", \"physicalFunction\": \"0000:01:00.0\" } ] }", "either function")]
    [InlineData("nvme address", "{ \"devices\": [ { \"kind\": \"nvme\", \"name\": \"a\", \"function\": \"nvme0\" } ] }", "no PCI address")]
    [InlineData("nvme namespace", "{ \"devices\": [ { \"kind\": \"nvme\", \"name\": \"a\", \"function\": \"0000:01:00.0\", \"namespace\": 0 } ] }", "namespace is 0")]
    [InlineData("limit", "{ \"limits\": { \"connections\": 0 } }", "limits.connections is 0")]
    [InlineData("hello", "{ \"limits\": { \"helloTimeoutSeconds\": -1 } }", "helloTimeoutSeconds")]
    [InlineData("null device", "{ \"devices\": [ null ] }", "devices[0] is null")]
    [InlineData("name", "{ \"devices\": [ { \"kind\": \"soft\", \"name\": \"../a\" } ] }", "devices[0].name")]
    [InlineData("twice", "{ \"devices\": [ { \"kind\": \"soft\", \"name\": \"a\" }, { \"kind\": \"soft\", \"name\": \"a\" } ] }", "devices[1].name 'a' is there twice")]
    [InlineData("mtu", "{ \"devices\": [ { \"kind\": \"soft\", \"name\": \"a\", \"mtu\": 9000 } ] }", "mtu is 9000")]
    [InlineData("pairs", "{ \"devices\": [ { \"kind\": \"soft\", \"name\": \"a\", \"queuePairsMax\": 9 } ] }", "queuePairsMax")]
    [InlineData("queue", "{ \"devices\": [ { \"kind\": \"soft\", \"name\": \"a\", \"queueSizeMax\": 3 } ] }", "queueSizeMax")]
    [InlineData("rate", "{ \"devices\": [ { \"kind\": \"soft\", \"name\": \"a\", \"rateBitsPerSecond\": 0 } ] }", "rateBitsPerSecond")]
    [InlineData("gateway", "{ \"devices\": [ { \"kind\": \"soft\", \"name\": \"a\", \"networks\": [\"10.7.0.0/24\"], \"gateway\": \"10.8.0.1\" } ] }", "gateway 10.8.0.1")]
    [InlineData("network", "{ \"devices\": [ { \"kind\": \"soft\", \"name\": \"a\", \"networks\": [\"224.0.0.0/8\"] } ] }", "no network of hosts")]
    [InlineData("wide network", "{ \"devices\": [ { \"kind\": \"soft\", \"name\": \"a\", \"networks\": [\"10.0.0.0/7\"] } ] }", "no network of hosts")]
    [InlineData("functions", "{ \"devices\": [ { \"kind\": \"soft\", \"name\": \"a\", \"functions\": 257 } ] }", "functions is 257")]
    [InlineData("core", "{ \"devices\": [ { \"kind\": \"soft\", \"name\": \"a\", \"core\": 4096 } ] }", "core is 4096")]
    [InlineData("idle", "{ \"devices\": [ { \"kind\": \"soft\", \"name\": \"a\", \"idle\": \"never\" } ] }", "idle 'never'")]
    [InlineData("uplink", "{ \"devices\": [ { \"kind\": \"soft\", \"name\": \"a\", \"uplink\": \"a-name-that-is-too-long\" } ] }", "uplink")]
    [InlineData("uplinks", "{ \"devices\": [ { \"kind\": \"soft\", \"name\": \"a\", \"uplink\": \"u\" }, { \"kind\": \"soft\", \"name\": \"b\", \"uplink\": \"u\" } ] }", "uplink 'u' is there twice")]
    [InlineData("sockets", "{ \"devices\": [ { \"kind\": \"vhost-user\", \"name\": \"a\", \"sockets\": [] } ] }", "sockets has 0 entries")]
    [InlineData("socket path", "{ \"devices\": [ { \"kind\": \"vhost-user\", \"name\": \"a\", \"sockets\": [\"x\"] } ] }", "sockets[0]")]
    [InlineData("external rate", "{ \"devices\": [ { \"kind\": \"vhost-user\", \"name\": \"a\", \"sockets\": [\"/x\"], \"rateBitsPerSecond\": 5 } ] }", "cannot limit")]
    public void A_configuration_that_cannot_work_is_refused_with_the_members_name(string what, string text, string fault)
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, text);
            ValidateOptionsResult result = new DaemonOptionsValidator().Validate(null, ConfigurationFile.Read(path));
            Assert.True(result.Failed, what);
            Assert.Contains(result.Failures!, line => line.Contains(fault, StringComparison.Ordinal));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void More_functions_than_the_ledger_remembers_are_refused()
    {
        var options = new DaemonOptions { Devices = [.. Enumerable.Range(0, 9).Select(static i => new SoftDeviceOptions { Name = $"d{i}", Functions = 256 })] };
        Assert.Contains(new DaemonOptionsValidator().Validate(null, options).Failures!, static line => line.Contains("2304 virtual functions", StringComparison.Ordinal));
    }

    [Fact]
    public void A_configuration_that_is_not_there_is_named() =>
        Assert.Contains("/nowhere.json", Assert.Throws<ConfigurationException>(static () => ConfigurationFile.Read("/nowhere.json")).Message, StringComparison.Ordinal);
}
