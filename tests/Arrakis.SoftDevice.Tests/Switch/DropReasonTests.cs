using Arrakis.Contract;
using Arrakis.SoftDevice.Ports.Tester;
using Arrakis.SoftDevice.Switch;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.Wire;
using Arrakis.Wire.Virtio;
using static Arrakis.SoftDevice.Tests.Support.SwitchUnderTest;

namespace Arrakis.SoftDevice.Tests.Switch;

public sealed class DropReasonTests
{
    private static readonly MacAddress _outsider = MacAddress.Parse("02:00:00:00:00:99");
    private static readonly Ipv4Address _outside = Ipv4Address.Parse("192.0.2.1");

    // How to have one frame dropped for each reason, and the port that counts it.
    private static readonly Dictionary<string, (string Port, Action<SwitchUnderTest> Provoke)> _provocations = new()
    {
        ["frame-too-short"] = ("vf0", device => device.Send(0, new byte[13])),
        ["frame-too-long"] = ("vf0", device => device.Send(0, ToNeighbour(payload: 1473))),
        ["offload-invalid"] = ("vf0", AskForUnnegotiated),
        ["malformed"] = ("vf0", device => device.Send(0, ToNeighbour().AsSpan(0, 33))),
        ["vlan-tagged"] = ("vf0", device => device.Send(0, Frames.OfType(Mac(1), Mac(0), 0x8100))),
        ["ether-type-not-granted"] = ("vf0", device => device.Send(0, Frames.OfType(Mac(1), Mac(0), 0x86DD))),
        ["source-mac-foreign"] = ("vf0", device => device.Send(0, Frames.Udp(Mac(1), Mac(1), Address(0), Address(1)))),
        ["source-address-foreign"] = ("vf0", device => device.Send(0, Frames.Udp(Mac(1), Mac(0), Address(1), Address(1)))),
        ["granted-mac-claimed"] = ("uplink", device => device.SendFromKernel(Frames.Udp(Mac(1), Mac(0), _outside, Address(1)))),
        ["granted-address-claimed"] = ("uplink", device => device.SendFromKernel(Frames.Udp(Mac(1), _outsider, Address(0), Address(1)))),
        ["filter-send"] = ("vf0", FilterSend),
        ["filter-receive"] = ("vf1", FilterReceive),
        ["no-destination"] = ("uplink", device => device.SendFromKernel(Frames.Udp(_outsider, _outsider, _outside, _outside))),
        ["link-down"] = ("vf1", TakeLinkDown),
        ["receive-ring-full"] = ("vf1", FillRing),
        ["receive-buffer-too-small"] = ("vf1", OfferSmallBuffer),
        ["uplink-refused"] = ("uplink", CloseUplink),
        ["not-expected"] = ("tester", device => device.Send(0, Frames.Udp(TesterPort.Mac, Mac(0), Address(0), _outside))),
    };

    private static void AskForUnnegotiated(SwitchUnderTest device)
    {
        device.Post(0, ToNeighbour(), [VirtioNetHeader.NeedsChecksum, 0, 0, 0, 0, 0, 34, 0, 6, 0, 0, 0]);
        device.Poll();
    }

    public static TheoryData<string> Reasons() => [.. _provocations.Keys];

    [Theory]
    [MemberData(nameof(Reasons))]
    public void Each_drop_is_counted_once_under_its_own_name(string reason)
    {
        using var device = new SwitchUnderTest();
        device.ConfigureAll();
        (string port, Action<SwitchUnderTest> provoke) = _provocations[reason];
        provoke(device);
        foreach (string other in (string[])["vf0", "vf1", "vf2", "uplink", "tester"])
        {
            IReadOnlyDictionary<string, long> drops = device.Drops(other);
            if (other == port)
            {
                Assert.Equal((reason, 1L), (Assert.Single(drops).Key, drops[reason]));
            }
            else
            {
                Assert.Empty(drops);
            }
        }
    }

    [Fact]
    public void Every_reason_has_a_name_of_its_own_and_a_provocation_here()
    {
        DropReason[] reasons = [.. Enum.GetValues<DropReason>().Where(reason => reason != DropReason.None)];
        Assert.Equal(_provocations.Keys.Order(), reasons.Select(DropReasons.Name).Order());
        Assert.Equal(reasons.Length + 1, DropReasons.Count);
        _ = Assert.Throws<ArgumentOutOfRangeException>(() => DropReasons.Name(DropReason.None));
    }

    [Fact]
    public void Without_an_uplink_its_frames_are_counted_as_of_a_link_that_is_down()
    {
        using var device = new SwitchUnderTest();
        device.ConfigureAll();
        device.Core.Uplink.Attach(null, null);
        device.Send(0, Frames.Udp(_outsider, Mac(0), Address(0), _outside));
        Assert.Equal(1, device.Drops("uplink")["link-down"]);
    }

    private static void FilterSend(SwitchUnderTest device)
    {
        device.Configure(0, filter: new FilterRule { Protocol = FilterProtocol.Tcp });
        device.Send(0, ToNeighbour());
    }

    private static void FilterReceive(SwitchUnderTest device)
    {
        device.Configure(1, filter: new FilterRule { Protocol = FilterProtocol.Tcp });
        device.Send(0, ToNeighbour());
    }

    private static void TakeLinkDown(SwitchUnderTest device)
    {
        device.Core.Functions[1].AttachReceive(0, null);
        device.Send(0, ToNeighbour());
    }

    private static void FillRing(SwitchUnderTest device)
    {
        for (int i = 0; i <= RingSize; i++)
        {
            device.Send(0, ToNeighbour());
        }
    }

    private static void OfferSmallBuffer(SwitchUnderTest device)
    {
        device.Receive(1).StartAt(0);
        device.AttachReceive(1);
        device.Receive(1).WriteDescriptor(0, device.Receive(1).AddressOf(0), 40, DescriptorFlags.Write, 0);
        device.Receive(1).MakeAvailable(0);
        device.Send(0, ToNeighbour());
    }

    private static void CloseUplink(SwitchUnderTest device)
    {
        device.CloseKernel();
        device.Send(0, Frames.Udp(_outsider, Mac(0), Address(0), _outside));
    }

    private static byte[] ToNeighbour(int payload = 18) => Frames.Udp(Mac(1), Mac(0), Address(0), Address(1), payload: payload);
}
