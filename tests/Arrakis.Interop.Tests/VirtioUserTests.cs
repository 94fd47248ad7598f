using Arrakis.Contract.Control;
using Arrakis.Interop.Tests.Support;
using Arrakis.TestBed.Dpdk;
using Arrakis.Wire;

namespace Arrakis.Interop.Tests;

/// <summary>DPDK's virtio-user driver, unchanged, as the front end of the software device.</summary>
public sealed class VirtioUserTests
{
    private const int FrameLength = 60; // of the 64 that flowgen is told, the check sequence is not in memory

    // The names that testpmd's flowgen uses; with one flow, its destination is the first.
    private static readonly MacAddress _firstMac = MacAddress.Parse("00:01:02:03:04:00");
    private static readonly MacAddress _secondMac = MacAddress.Parse("00:01:02:03:04:01");
    private static readonly Ipv4Address _first = Ipv4Address.Parse("10.254.0.0");
    private static readonly Ipv4Address _second = Ipv4Address.Parse("10.253.0.0");

    [Fact]
    public async Task Frames_pass_between_two_ports_and_all_counters_agree()
    {
        await using HugePageFolder pages = await HugePageFolder.MountAsync();
        await using SoftDeviceProcess device = await StartDeviceAsync(pages);
        await using Testpmd receiver = await StartReceiverAsync(pages, device, "rxonly");
        await using Testpmd sender = await StartSenderAsync(pages, device);
        _ = await receiver.TellAsync("start");
        _ = await sender.TellAsync("start");
        await Waiting.UntilAsync(async () => (await receiver.CountersAsync()).Received > 10_000, () => $"No frames arrive: {device.Log}\n{sender.Output}\n{receiver.Output}");
        _ = await sender.TellAsync("stop");

        // What was on its way arrives: everything sent was taken, and everything taken was delivered or counted.
        long sent = (await sender.CountersAsync()).Sent;
        await Waiting.UntilAsync(
            async () =>
            {
                IReadOnlyDictionary<string, PortCounters> counters = await device.CountersAsync();
                return counters["vf0"].FramesIn == sent && counters["vf1"].FramesOut == (await receiver.CountersAsync()).Received;
            },
            () => $"The counters do not agree on {sent} frames: {Describe(device)}");
        IReadOnlyDictionary<string, PortCounters> last = await device.CountersAsync();
        Assert.Equal(last["vf0"].FramesIn, last["vf1"].FramesOut + last["vf1"].Drops.Values.Sum());
        Assert.Equal(last["vf0"].FramesIn * FrameLength, last["vf0"].BytesIn);
        Assert.Empty(last["vf0"].Drops);
        Assert.Equal(0, last["uplink"].FramesOut);
    }

    [Fact]
    public async Task Frames_come_back_and_a_port_that_is_started_again_works_again()
    {
        await using HugePageFolder pages = await HugePageFolder.MountAsync();
        await using SoftDeviceProcess device = await StartDeviceAsync(pages);
        await using Testpmd sender = await StartSenderAsync(pages, device);
        long received = 0;
        for (int life = 0; life < 3; life++)
        {
            // The receiver turns addresses and ports round; the last life but one ends by force.
            Testpmd reflector = await StartReceiverAsync(pages, device, "5tswap");
            await using (reflector)
            {
                _ = await reflector.TellAsync("start");
                _ = await sender.TellAsync("start");
                long before = received;
                await Waiting.UntilAsync(
                    async () => (received = (await sender.CountersAsync()).Received) > before + 1000,
                    () => $"No frames come back in life {life}: {device.Log}\n{reflector.Output}");
                _ = await sender.TellAsync("stop");
                if (life == 1)
                {
                    await reflector.KillAsync();
                }
            }

            Assert.DoesNotContain("source-", string.Join(' ', (await device.CountersAsync())["vf1"].Drops.Keys), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_port_with_another_name_than_its_own_passes_nothing()
    {
        await using HugePageFolder pages = await HugePageFolder.MountAsync();
        await using SoftDeviceProcess device = await StartDeviceAsync(pages);
        await device.ConfigureAsync(0, MacAddress.Parse("02:00:00:00:00:01"), _first);
        await using Testpmd receiver = await StartReceiverAsync(pages, device, "rxonly");
        await using Testpmd sender = await StartSenderAsync(pages, device);
        _ = await receiver.TellAsync("start");
        _ = await sender.TellAsync("start");
        await Waiting.UntilAsync(
            async () => (await device.CountersAsync())["vf0"].Drops.GetValueOrDefault("source-mac-foreign") > 1000,
            () => $"Nothing was dropped: {device.Log}");
        _ = await sender.TellAsync("stop");
        Assert.Equal(0, (await receiver.CountersAsync()).Received);
        Assert.Equal(0, (await device.CountersAsync())["vf1"].FramesOut);
    }

    private static async Task<SoftDeviceProcess> StartDeviceAsync(HugePageFolder pages)
    {
        SoftDeviceProcess device = await SoftDeviceProcess.StartAsync(pages.Folder, functions: 2, core: 0);
        await device.ConfigureAsync(0, _firstMac, _first);
        await device.ConfigureAsync(1, _secondMac, _second);
        return device;
    }

    private static Task<Testpmd> StartSenderAsync(HugePageFolder pages, SoftDeviceProcess device) =>
        Testpmd.StartAsync(pages, 1, Device(device, 0), "--forward-mode=flowgen", "--flowgen-flows=1", $"--txpkts={FrameLength + 4}");

    private static Task<Testpmd> StartReceiverAsync(HugePageFolder pages, SoftDeviceProcess device, string mode) =>
        Testpmd.StartAsync(pages, 1, Device(device, 1), $"--forward-mode={mode}");

    private static string Device(SoftDeviceProcess device, int function) =>
        $"net_virtio_user0,path={device.FunctionPath(function)},queues=1,queue_size=256";

    private static string Describe(SoftDeviceProcess device) =>
        string.Join(' ', device.CountersAsync().GetAwaiter().GetResult().Select(port => $"{port.Key}: {port.Value}"));
}
