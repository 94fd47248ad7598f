using Arrakis.Hardware.Tests.Support;
using Arrakis.TestBed.Machine;

namespace Arrakis.Hardware.Tests;

/// <summary>VFs come and go, each behind the IOMMU by itself.</summary>
public sealed class SriovTests
{
    [Theory]
    [InlineData("igb", "8086:10ca")]
    [InlineData("nvme", "1b36:0010")]
    public void Functions_are_made_and_removed_each_in_a_group_of_its_own(string device, string identity)
    {
        PciFunction physical = device == "igb" ? LabMachine.Igb : LabMachine.Nvme;
        IReadOnlyList<PciFunction> made;
        using (var functions = VirtualFunctions.Make(physical, 3))
        {
            made = functions.All;
            Assert.Equal(3, made.Distinct().Count());
            Assert.All(made, function =>
            {
                Assert.Equal((identity, null, physical), (function.Identity, function.Driver, function.PhysicalFunction));
                Assert.Equal([function.Address], Directory.GetFileSystemEntries($"/sys/kernel/iommu_groups/{function.IommuGroup}/devices").Select(Path.GetFileName));
            });
            Assert.Equal(3, made.Select(static function => function.IommuGroup).Distinct().Count());
        }

        Assert.DoesNotContain(made, static function => function.Exists);
        Assert.Equal(device, physical.Driver);
    }

    [Fact]
    public async Task The_network_cards_driver_sets_what_a_function_may_do()
    {
        using var functions = VirtualFunctions.Make(LabMachine.Igb, 2);
        string link = LabMachine.Igb.NetworkInterface;
        await LabMachine.Igb.LinkUpAsync(); // Without a link the driver refuses a rate: it does not know what there is to share.
        await IpAsync("link", "set", link, "vf", "1", "mac", "02:00:00:00:01:07");
        await IpAsync("link", "set", link, "vf", "1", "vlan", "7");
        await IpAsync("link", "set", link, "vf", "1", "spoofchk", "off");
        await IpAsync("link", "set", link, "vf", "1", "trust", "on");
        await IpAsync("link", "set", link, "vf", "1", "max_tx_rate", "100");

        string line = Assert.Single((await IpAsync("link", "show", link)).Split('\n'), static line => line.Contains("vf 1 ", StringComparison.Ordinal));
        Assert.All(["02:00:00:00:01:07", "vlan 7", "spoof checking off", "trust on", "100"], word => Assert.Contains(word, line, StringComparison.Ordinal));
    }

    private static Task<string> IpAsync(params string[] arguments) => Command.ReadAsync("ip", arguments, TestContext.Current.CancellationToken);
}
