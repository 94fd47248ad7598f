using System.Globalization;
using System.Text.RegularExpressions;
using Arrakis.Contract.Control;
using Arrakis.Interop.Tests.Support;
using Arrakis.TestBed.Dpdk;
using Arrakis.Wire;

namespace Arrakis.Interop.Tests;

/// <summary>DPDK's virtio-user driver with each ring format and each of its receive and transmit paths, as front end of the software device.</summary>
public sealed partial class VirtioUserFeatureTests
{
    // The names that testpmd's flowgen uses, as sender and as first destination.
    private static readonly MacAddress _firstMac = MacAddress.Parse("00:01:02:03:04:00");
    private static readonly MacAddress _secondMac = MacAddress.Parse("00:01:02:03:04:01");
    private static readonly Ipv4Address _first = Ipv4Address.Parse("10.254.0.0");
    private static readonly Ipv4Address _second = Ipv4Address.Parse("10.253.0.0");

    [Theory]
    [InlineData("packed_vq=0,in_order=0,mrg_rxbuf=0", "RingIndirectDescriptors")]
    [InlineData("packed_vq=0,in_order=0,mrg_rxbuf=1", "NetMergeableReceiveBuffers")]
    [InlineData("packed_vq=0,in_order=1,mrg_rxbuf=0", "InOrder")]
    [InlineData("packed_vq=0,in_order=1,mrg_rxbuf=1", "InOrder")]
    [InlineData("packed_vq=0,in_order=0,mrg_rxbuf=0,vectorized=1", "Version1")]
    [InlineData("packed_vq=1,in_order=0,mrg_rxbuf=0", "RingPacked")]
    [InlineData("packed_vq=1,in_order=0,mrg_rxbuf=1", "RingPacked")]
    [InlineData("packed_vq=1,in_order=1,mrg_rxbuf=0", "RingPacked, InOrder")]
    [InlineData("packed_vq=1,in_order=1,mrg_rxbuf=1", "RingPacked, InOrder")]
    [InlineData("packed_vq=1,in_order=1,mrg_rxbuf=0,vectorized=1", "RingPacked, InOrder")]
    public async Task Frames_go_there_and_back_whatever_is_negotiated(string options, string chosen)
    {
        await using HugePageFolder pages = await HugePageFolder.MountAsync();
        await using SoftDeviceProcess device = await StartDeviceAsync(pages);
        await using Testpmd reflector = await Testpmd.StartAsync(pages, 1, Device(device, 1, options), "--forward-mode=5tswap");
        await using Testpmd sender = await Testpmd.StartAsync(pages, 1, Device(device, 0, options), "--forward-mode=flowgen", "--flowgen-flows=1", "--txpkts=1000");
        Assert.Contains(chosen, device.Log, StringComparison.Ordinal);
        _ = await reflector.TellAsync("start");
        _ = await sender.TellAsync("start");
        await Waiting.UntilAsync(async () => (await sender.CountersAsync()).Received > 20_000, () => $"No frames come back: {device.Log}\n{reflector.Output}");
        _ = await sender.TellAsync("stop");
        long sent = (await sender.CountersAsync()).Sent;
        IReadOnlyDictionary<string, PortCounters> counters = await device.CountersAsync();
        await Waiting.UntilAsync(
            async () => (counters = await device.CountersAsync())["vf0"].FramesIn == sent
                && counters["vf1"].FramesOut == (await reflector.CountersAsync()).Received,
            () => $"The counters do not agree on {sent} frames: {string.Join(' ', counters)}");
        Assert.Equal(counters["vf0"].FramesIn, counters["vf1"].FramesOut + counters["vf1"].Drops.Values.Sum());
        Assert.All(counters.Values.SelectMany(port => port.Drops.Keys), static reason => Assert.Equal("receive-ring-full", reason));
    }

    [Theory]
    [InlineData("packed_vq=0")]
    [InlineData("packed_vq=1,in_order=1")]
    public async Task Flows_are_spread_over_two_queues_of_each_driver(string options)
    {
        const string Queues = ",queues=2";
        await using HugePageFolder pages = await HugePageFolder.MountAsync();
        await using SoftDeviceProcess device = await StartDeviceAsync(pages);
        await using Testpmd receiver = await Testpmd.StartAsync(pages, 1, Device(device, 1, options + Queues), "--forward-mode=rxonly", "--rxq=2", "--txq=2");
        await using Testpmd sender = await Testpmd.StartAsync(
            pages, 1, Device(device, 0, options + Queues), "--forward-mode=flowgen", "--flowgen-flows=64", "--txpkts=64", "--rxq=2", "--txq=2");
        _ = await receiver.TellAsync("start");
        _ = await sender.TellAsync("start");
        await Waiting.UntilAsync(
            async () =>
            {
                string statistics = await receiver.TellAsync("show port xstats 0");
                return QueuePackets(statistics, 0) > 10_000 && QueuePackets(statistics, 1) > 10_000;
            },
            () => $"Not both queues receive: {device.Log}\n{receiver.Output}");
        _ = await sender.TellAsync("stop");
        string sent = await sender.TellAsync("show port xstats 0");
        Assert.True(Regex.IsMatch(sent, @"tx_q1_good_packets: [1-9]"), sent);
    }

    private static long QueuePackets(string statistics, int queue)
    {
        Match match = Received(queue).Match(statistics);
        return match.Success ? long.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) : 0;
    }

    private static Regex Received(int queue) => queue == 0 ? FirstQueue() : SecondQueue();

    [GeneratedRegex(@"rx_q0_good_packets: (\d+)")]
    private static partial Regex FirstQueue();

    [GeneratedRegex(@"rx_q1_good_packets: (\d+)")]
    private static partial Regex SecondQueue();

    private static async Task<SoftDeviceProcess> StartDeviceAsync(HugePageFolder pages)
    {
        SoftDeviceProcess device = await SoftDeviceProcess.StartAsync(pages.Folder, functions: 2, core: 0);
        await device.ConfigureAsync(0, _firstMac, _first);
        await device.ConfigureAsync(1, _secondMac, _second);
        return device;
    }

    private static string Device(SoftDeviceProcess device, int function, string options) =>
        $"net_virtio_user0,path={device.FunctionPath(function)},queue_size=256,{options}";
}
