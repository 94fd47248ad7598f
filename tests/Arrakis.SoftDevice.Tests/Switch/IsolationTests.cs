using Arrakis.SoftDevice.Ports.Tester;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.Wire;
using Arrakis.Wire.Frames;
using static Arrakis.SoftDevice.Tests.Support.SwitchUnderTest;

namespace Arrakis.SoftDevice.Tests.Switch;

public sealed class IsolationTests
{
    private static readonly MacAddress _outsider = MacAddress.Parse("02:00:00:00:00:99");
    private static readonly MacAddress _group = MacAddress.Parse("01:00:5e:00:00:01");
    private static readonly Ipv4Address _outside = Ipv4Address.Parse("192.0.2.1");

    [Fact]
    public void A_frame_for_a_neighbour_reaches_that_neighbour_alone()
    {
        using var device = new SwitchUnderTest();
        device.ConfigureAll();
        byte[] frame = Frames.Udp(Mac(1), Mac(0), Address(0), Address(1));
        device.Send(0, frame);
        device.AssertReceived(frame, 1);
        Assert.Empty(device.ReceivedByKernel());
        Assert.Equal((1, frame.Length), (device.Statistics("vf0").Read().FramesIn, device.Statistics("vf0").Read().BytesIn));
        Assert.Equal((1, frame.Length), (device.Statistics("vf1").Read().FramesOut, device.Statistics("vf1").Read().BytesOut));
    }

    [Fact]
    public void A_frame_for_an_unknown_station_leaves_by_the_uplink_alone()
    {
        using var device = new SwitchUnderTest();
        device.ConfigureAll();
        byte[] frame = Frames.Udp(_outsider, Mac(0), Address(0), _outside);
        device.Send(0, frame);
        device.AssertReceived(frame);
        Assert.Equal(frame, Assert.Single(device.ReceivedByKernel()));
    }

    [Fact]
    public void A_frame_of_the_kernel_for_an_unknown_station_reaches_nobody()
    {
        using var device = new SwitchUnderTest();
        device.ConfigureAll();
        byte[] frame = Frames.Udp(Mac(9), _outsider, _outside, Address(9));
        device.SendFromKernel(frame);
        device.AssertReceived(frame);
        Assert.Equal(1, device.Drops("uplink")["no-destination"]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_broadcast_or_multicast_reaches_all_but_its_sender(bool broadcast)
    {
        using var device = new SwitchUnderTest();
        device.ConfigureAll();
        MacAddress destination = broadcast ? MacAddress.Broadcast : _group;
        byte[] frame = Frames.Udp(destination, Mac(1), Address(1), _outside);
        device.Send(1, frame);
        device.AssertReceived(frame, 0, 2);
        Assert.Equal(frame, Assert.Single(device.ReceivedByKernel()));

        frame = Frames.Udp(destination, _outsider, _outside, _outside);
        device.SendFromKernel(frame);
        device.AssertReceived(frame, 0, 1, 2);
        Assert.Empty(device.ReceivedByKernel());
    }

    [Fact]
    public void No_function_sends_with_a_foreign_mac()
    {
        using var device = new SwitchUnderTest();
        device.ConfigureAll();
        foreach (MacAddress source in (MacAddress[])[Mac(1), _outsider, TesterPort.Mac, default, MacAddress.Broadcast, _group])
        {
            device.Send(0, Frames.Udp(Mac(2), source, Address(0), Address(2)));
            device.Send(0, Frames.Arp(ArpOperation.Request, MacAddress.Broadcast, source, Mac(0), Address(0), Address(2)));
        }

        AssertNothingPassed(device);
        Assert.Equal(12, device.Drops("vf0")["source-mac-foreign"]);
        Assert.Single(device.Drops("vf0"));
    }

    [Fact]
    public void No_function_sends_with_a_foreign_address()
    {
        using var device = new SwitchUnderTest();
        device.ConfigureAll();
        foreach (Ipv4Address source in (Ipv4Address[])[Address(1), _outside, default, new(uint.MaxValue)])
        {
            device.Send(0, Frames.Udp(Mac(2), Mac(0), source, Address(2)));
            device.Send(0, Frames.Udp(MacAddress.Broadcast, Mac(0), source, Address(2)));
        }

        AssertNothingPassed(device);
        Assert.Equal(8, device.Drops("vf0")["source-address-foreign"]);
        Assert.Single(device.Drops("vf0"));
    }

    [Fact]
    public void No_function_answers_or_asks_in_another_name()
    {
        using var device = new SwitchUnderTest();
        device.ConfigureAll();
        foreach (ArpOperation operation in (ArpOperation[])[ArpOperation.Request, ArpOperation.Reply])
        {
            device.Send(0, Frames.Arp(operation, Mac(2), Mac(0), Mac(0), Address(1), Address(2)));
            device.Send(0, Frames.Arp(operation, MacAddress.Broadcast, Mac(0), Mac(0), _outside, _outside));
            device.Send(0, Frames.Arp(operation, Mac(2), Mac(0), Mac(1), Address(0), Address(2)));
        }

        // Only a question may come without a sender's address.
        device.Send(0, Frames.Arp(ArpOperation.Reply, Mac(2), Mac(0), Mac(0), Ipv4Address.Any, Address(2)));
        AssertNothingPassed(device);
        Assert.Equal(5, device.Drops("vf0")["source-address-foreign"]);
        Assert.Equal(2, device.Drops("vf0")["source-mac-foreign"]);
    }

    [Fact]
    public void A_question_for_a_granted_address_reaches_its_owner_alone()
    {
        using var device = new SwitchUnderTest();
        device.ConfigureAll();
        byte[] question = Frames.Arp(ArpOperation.Request, MacAddress.Broadcast, Mac(0), Mac(0), Address(0), Address(2));
        device.Send(0, question);
        device.AssertReceived(question, 2);

        byte[] probe = Frames.Arp(ArpOperation.Request, MacAddress.Broadcast, Mac(0), Mac(0), Ipv4Address.Any, Address(1));
        device.Send(0, probe);
        device.AssertReceived(probe, 1);

        byte[] kernel = Frames.Arp(ArpOperation.Request, MacAddress.Broadcast, _outsider, _outsider, _outside, Address(1));
        device.SendFromKernel(kernel);
        device.AssertReceived(kernel, 1);
        Assert.Empty(device.ReceivedByKernel());
    }

    [Fact]
    public void A_question_for_an_address_outside_and_an_announcement_are_for_all()
    {
        using var device = new SwitchUnderTest();
        device.ConfigureAll();
        foreach (Ipv4Address target in (Ipv4Address[])[_outside, Address(0)])
        {
            byte[] frame = Frames.Arp(ArpOperation.Request, MacAddress.Broadcast, Mac(0), Mac(0), Address(0), target);
            device.Send(0, frame);
            device.AssertReceived(frame, 1, 2);
            Assert.Equal(frame, Assert.Single(device.ReceivedByKernel()));
        }
    }

    [Fact]
    public void Nobody_outside_speaks_for_a_function()
    {
        using var device = new SwitchUnderTest();
        device.ConfigureAll();
        foreach (Action<ReadOnlySpan<byte>> send in (Action<ReadOnlySpan<byte>>[])[device.SendFromKernel, device.SendFromTester])
        {
            send(Frames.Udp(Mac(0), Mac(1), _outside, Address(0)));
            send(Frames.Udp(Mac(0), _outsider, Address(1), Address(0)));
            send(Frames.Arp(ArpOperation.Reply, Mac(0), _outsider, Mac(1), _outside, Address(0)));
            send(Frames.Arp(ArpOperation.Reply, Mac(0), _outsider, _outsider, Address(1), Address(0)));
        }

        AssertNothingPassed(device);
        foreach (string port in (string[])["uplink", "tester"])
        {
            Assert.Equal(2, device.Drops(port)["granted-mac-claimed"]);
            Assert.Equal(2, device.Drops(port)["granted-address-claimed"]);
        }
    }

    [Fact]
    public void A_port_without_an_identity_sends_and_receives_nothing()
    {
        using var device = new SwitchUnderTest();
        device.Configure(0);
        device.Configure(2);
        device.Post(1, Frames.Udp(Mac(0), Mac(1), Address(1), Address(0)));
        device.Send(0, Frames.Udp(Mac(1), Mac(0), Address(0), Address(1)));
        device.Send(0, Frames.Udp(MacAddress.Broadcast, Mac(0), Address(0), _outside));
        Assert.Empty(device.Received(1));
        Assert.Empty(device.Received(0));
        Assert.Equal(0, device.Statistics("vf1").Read().FramesIn);
    }

    [Fact]
    public void A_port_whose_identity_was_taken_sends_and_receives_nothing_until_it_has_another()
    {
        using var device = new SwitchUnderTest();
        device.ConfigureAll();
        device.Clear(1);
        byte[] waiting = Frames.Udp(Mac(0), Mac(1), Address(1), Address(0));
        device.Send(1, waiting);
        device.Send(0, Frames.Udp(Mac(1), Mac(0), Address(0), Address(1)));
        device.Send(0, Frames.Udp(MacAddress.Broadcast, Mac(0), Address(0), _outside));
        Assert.Empty(device.Received(1));
        Assert.Empty(device.Received(0));

        // The old name is foreign to the new identity.
        device.Configure(1, identity: 5);
        device.Poll();
        Assert.Empty(device.Received(0));
        Assert.Equal(1, device.Drops("vf1")["source-mac-foreign"]);
        byte[] frame = Frames.Udp(Mac(0), Mac(5), Address(5), Address(0));
        device.Send(1, frame);
        Assert.Equal(frame, Assert.Single(device.Received(0)));
    }

    [Fact]
    public void A_frame_to_oneself_goes_nowhere()
    {
        using var device = new SwitchUnderTest();
        device.ConfigureAll();
        device.Send(0, Frames.Udp(Mac(0), Mac(0), Address(0), Address(0)));
        AssertNothingPassed(device);
        Assert.Equal(1, device.Drops("vf0")["no-destination"]);
    }

    [Fact]
    public void A_test_that_runs_owns_the_testers_names()
    {
        using var device = new SwitchUnderTest();
        device.ConfigureAll();
        Ipv4Address source = Ipv4Address.Parse("10.7.0.200");
        device.Core.Tester.Start(new Contract.Control.TestPlan
        {
            TargetMac = Mac(0),
            Target = Address(0),
            TargetPort = 7,
            Source = source,
            WarmupMilliseconds = 0,
            DurationMilliseconds = 1000,
            LossTimeoutMilliseconds = 1000,
        });
        device.SendFromKernel(Frames.Udp(Mac(0), TesterPort.Mac, _outside, Address(0)));
        device.SendFromKernel(Frames.Udp(Mac(0), _outsider, source, Address(0)));
        Assert.Empty(device.Received(0));
        Assert.Equal(1, device.Drops("uplink")["granted-mac-claimed"]);
        Assert.Equal(1, device.Drops("uplink")["granted-address-claimed"]);

        device.SendFromKernel(Frames.Arp(ArpOperation.Request, MacAddress.Broadcast, _outsider, _outsider, _outside, source));
        Assert.Empty(device.Received(0));
        _ = device.Core.PollOnce();
        byte[] answer = Assert.Single(device.ReceivedByKernel());
        Assert.Equal(FrameError.None, ArpView.TryParse(answer.AsSpan(EthernetView.HeaderLength), out ArpView arp));
        Assert.Equal((TesterPort.Mac, source), (arp.SenderMac, arp.SenderAddress));
    }

    private static void AssertNothingPassed(SwitchUnderTest device)
    {
        device.AssertReceived([]);
        Assert.Empty(device.ReceivedByKernel());
    }
}
