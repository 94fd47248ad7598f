using Arrakis.Hardware.Tests.Support;
using Arrakis.Interop.Tests.Support;
using Arrakis.TestBed.Dpdk;
using Arrakis.TestBed.Machine;
using Arrakis.Wire;

namespace Arrakis.Hardware.Tests.Bindings;

/// <summary>DPDK's own driver of the 82576's functions as the neighbour of ours, through the card's switch.</summary>
public sealed class DpdkPeerTests
{
    private const int Datagrams = 500;
    private const int Core = 1;
    private const string Mac = "02:00:00:00:01:30";

    [Theory]
    [InlineData("group")]
    [InlineData("cdev")]
    public async Task Datagrams_to_a_function_that_dpdk_drives_come_back(string vfio)
    {
        using var functions = VirtualFunctions.Make(LabMachine.Igb, 2);
        await Command.RunAsync("ip", ["link", "set", LabMachine.Igb.NetworkInterface, "vf", "0", "mac", Mac], TestContext.Current.CancellationToken);
        await using HardwareDaemon daemon = await HardwareDaemon.StartOnAsync(functions[0], vfio);
        functions[1].BindTo("vfio-pci");
        await using HugePageFolder pages = await HugePageFolder.MountAsync();
        await using Testpmd peer = await Testpmd.StartOnFunctionAsync(pages, Core, functions[1].Address, "--forward-mode=icmpecho");
        Assert.Contains("net_e1000_igb_vf", await peer.TellAsync("show port info 0"), StringComparison.Ordinal);

        await using ArrakisClient client = await daemon.ConnectAsync();
        await using NicBinding nic = await client.BindNicAsync(
            new NicRequest { Device = HardwareDaemon.Device, Address = Ipv4Prefix.Parse("10.98.0.30/24"), Mac = MacAddress.Parse(Mac) }, TestContext.Current.CancellationToken);
        _ = await peer.TellAsync("start");
        var datagrams = new ReflectedDatagrams(nic, Ipv4Address.Parse("10.98.0.9"));
        datagrams.Resolve();
        await peer.ForwardAsync(ReflectedDatagrams.Mode);
        datagrams.Echo(Datagrams);

        (long received, long sent) = await peer.CountersAsync();
        Assert.True(received >= Datagrams && sent >= Datagrams, $"DPDK counts {received} received and {sent} sent.");
    }
}
