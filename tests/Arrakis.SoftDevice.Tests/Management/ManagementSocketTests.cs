using System.Text;
using Arrakis.Contract;
using Arrakis.Contract.Control;
using Arrakis.Contract.Device;
using Arrakis.Contract.Json;
using Arrakis.Native;
using Arrakis.Native.Events;
using Arrakis.Native.Sockets;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.TestBed.Processes;
using Arrakis.Wire;
using static Arrakis.SoftDevice.Tests.Support.DeviceUnderTest;

namespace Arrakis.SoftDevice.Tests.Management;

public sealed class ManagementSocketTests : IDisposable
{
    private readonly DeviceUnderTest _device = new();

    public void Dispose() => _device.Dispose();

    public static TheoryData<string> Garbage() =>
    [
        "{", "[]", "null", "42", "\0\0\0", "{\"type\":\"no-such-request\",\"id\":1}", "{\"type\":\"clear-port\"}", "{\"id\":1}",
        "{\"type\":\"configure-port\",\"id\":1,\"port\":0}", "{\"type\":\"clear-port\",\"id\":-1,\"port\":0}",
        "{\"type\":\"clear-port\",\"id\":1,\"port\":99999999999}", "{\"type\":\"clear-port\",\"id\":1,\"port\":0} trailing",
        new string('[', 5000), "\ufffd\ud83d",
    ];

    [Theory]
    [MemberData(nameof(Garbage))]
    public void What_is_no_request_is_refused_and_the_connection_lives_on(string text)
    {
        using UnixSocket socket = Connect();
        DeviceErrorReply error = Refused(socket, Encoding.UTF8.GetBytes(text));
        Assert.Contains(error.Code, (ErrorCode[])[ErrorCode.MalformedMessage, ErrorCode.InvalidRequest]);
        Assert.NotEmpty(error.Cause);
        Assert.NotEmpty(error.Remedy);
        _ = Assert.IsType<DeviceCountersReply>(Ask(socket, new ReadCountersRequest { Id = 7 }));
    }

    [Fact]
    public void A_message_over_the_limit_is_refused()
    {
        using UnixSocket socket = Connect();
        Assert.Equal(ErrorCode.MessageTooLarge, Refused(socket, new byte[ControlProtocol.MaxMessageLength + 1]).Code);
        Assert.Equal(ErrorCode.MessageTooLarge, Refused(socket, new byte[ControlProtocol.MaxMessageLength + 100]).Code);
        _ = Assert.IsType<DeviceCountersReply>(Ask(socket, new ReadCountersRequest { Id = 1 }));
    }

    [Fact]
    public void A_request_with_an_id_that_was_used_is_refused_and_not_carried_out()
    {
        using UnixSocket socket = Connect();
        _ = Assert.IsType<DeviceDoneReply>(Ask(socket, Configure(5, 0)));
        foreach (ulong id in (ulong[])[5, 4, 0])
        {
            DeviceErrorReply error = Assert.IsType<DeviceErrorReply>(Ask(socket, new ClearPortRequest { Id = id, Port = 0 }));
            Assert.Equal((ErrorCode.Replayed, id), (error.Code, error.Id));
        }

        // The port still has its identity: its address is taken.
        Assert.Equal(ErrorCode.AddressTaken, Assert.IsType<DeviceErrorReply>(Ask(socket, Configure(6, 1) with { Address = Address(0) })).Code);
    }

    [Fact]
    public void Descriptors_that_a_request_does_not_have_are_refused_and_closed()
    {
        using UnixSocket socket = Connect();
        using var extra = new EventFd();
        _ = Ask(socket, new ReadCountersRequest { Id = 1 });
        int before = OpenDescriptors.Count();
        byte[] counters = MessageCodec.Encode(new ReadCountersRequest { Id = 2 });
        Assert.Equal(ErrorCode.WrongDescriptors, Refused(socket, counters, extra.Descriptor).Code);
        byte[] uplink = MessageCodec.Encode(new AttachUplinkRequest { Id = 3 });
        Assert.Equal(ErrorCode.WrongDescriptors, Refused(socket, uplink).Code);
        Assert.Equal(ErrorCode.WrongDescriptors, Refused(socket, MessageCodec.Encode(new AttachUplinkRequest { Id = 4 }), extra.Descriptor).Code);
        Assert.Equal(ErrorCode.WrongDescriptors, Refused(socket, MessageCodec.Encode(new AttachUplinkRequest { Id = 5 }), [.. Enumerable.Repeat(extra.Descriptor, 32)]).Code);
        _ = Ask(socket, new ReadCountersRequest { Id = 6 }); // What came before it is done with when it is answered.
        OpenDescriptors.AssertNoMoreThan(before);
    }

    [Fact]
    public void Ports_and_values_out_of_range_are_refused()
    {
        using UnixSocket socket = Connect();
        ulong id = 0;
        foreach (ConfigurePortRequest request in (ConfigurePortRequest[])
        [
            Configure(0, -1), Configure(0, 2), Configure(0, int.MaxValue),
            Configure(0, 0) with { Mac = MacAddress.Broadcast }, Configure(0, 0) with { Mac = default },
            Configure(0, 0) with { Address = default }, Configure(0, 0) with { Address = new Ipv4Address(uint.MaxValue) },
            Configure(0, 0) with { Address = Ipv4Address.Parse("224.0.0.1") },
            Configure(0, 0) with { Rate = new RateSpecifier(0, 0) }, Configure(0, 0) with { Rate = new RateSpecifier(-1, 0) },
            Configure(0, 0) with { Rate = new RateSpecifier(long.MaxValue, 0) }, Configure(0, 0) with { Rate = new RateSpecifier(1, -1) },
            Configure(0, 0) with { Filter = [.. Enumerable.Repeat(new FilterRule(), 65)] },
        ])
        {
            Assert.Equal(ErrorCode.InvalidRequest, Assert.IsType<DeviceErrorReply>(Ask(socket, request with { Id = ++id })).Code);
        }

        Assert.Equal(ErrorCode.InvalidRequest, Assert.IsType<DeviceErrorReply>(Ask(socket, new ClearPortRequest { Id = ++id, Port = 2 })).Code);
        _ = Assert.IsType<DeviceDoneReply>(Ask(socket, Configure(++id, 0) with { Filter = [.. Enumerable.Repeat(new FilterRule(), 64)] }));
    }

    [Fact]
    public void A_name_that_another_port_has_is_refused_until_it_is_free()
    {
        _device.Configure(0);
        Assert.Equal(ErrorCode.MacAddressTaken, Refusal(id => Configure(id, 1) with { Mac = Mac(0) }));
        Assert.Equal(ErrorCode.AddressTaken, Refusal(id => Configure(id, 1) with { Address = Address(0) }));
        Assert.Equal(ErrorCode.MacAddressTaken, Refusal(id => Configure(id, 1) with { Mac = SoftDevice.Ports.Tester.TesterPort.Mac }));

        // A port may be given its own name again.
        _device.Configure(0);
        _ = Assert.IsType<DeviceDoneReply>(_device.Ask(id => new ClearPortRequest { Id = id, Port = 0 }));
        _device.Configure(1, request => request with { Mac = Mac(0), Address = Address(0) });
    }

    [Fact]
    public void Counters_start_from_zero_with_an_identity_unless_they_are_to_be_kept()
    {
        _device.Configure(0);
        using FrontEnd frontEnd = _device.Connect(0);
        frontEnd.Start();
        byte[] frame = Frames.Udp(Mac(9), Mac(0), Address(0), Address(9));
        frontEnd.SendFrame(frame);
        Blocking.Until(() => _device.Counters("vf0").FramesIn == 1, "The frame was not taken.");
        Assert.Equal(frame.Length, _device.Counters("vf0").BytesIn);
        _device.Configure(0, request => request with { KeepCounters = true });
        Assert.Equal(1, _device.Counters("vf0").FramesIn);
        _device.Configure(0);
        Assert.Equal(0, _device.Counters("vf0").FramesIn);
        IReadOnlyDictionary<string, PortCounters> all = Assert.IsType<DeviceCountersReply>(_device.Ask(id => new ReadCountersRequest { Id = id })).Ports;
        Assert.Equal(["tester", "uplink", "vf0", "vf1"], all.Keys.Order());
        Assert.Equal(1, all["uplink"].Drops["link-down"]);
    }

    [Fact]
    public void What_was_set_stays_when_the_connection_ends()
    {
        using (UnixSocket socket = Connect())
        {
            _ = Assert.IsType<DeviceDoneReply>(Ask(socket, Configure(1, 0)));
        }

        Assert.Equal(ErrorCode.AddressTaken, Refusal(id => Configure(id, 1) with { Address = Address(0) }));
    }

    [Fact]
    public void Connections_that_say_nothing_take_no_more_than_their_places()
    {
        List<UnixSocket> silent = [];
        try
        {
            // One place is the test's own.
            for (int i = 0; i < 15; i++)
            {
                silent.Add(Connect());
            }

            for (int i = 0; i < 100; i++)
            {
                using UnixSocket surplus = Connect();
                Assert.Equal(ErrorCode.TooManyConnections, Assert.IsType<DeviceErrorReply>(Receive(surplus)).Code);
                Assert.Equal(0, Blocking.Receive(surplus, new byte[1]).Length);
            }

            _device.Configure(0);
        }
        finally
        {
            silent.ForEach(socket => socket.Dispose());
        }

        Blocking.Until(() => { using UnixSocket next = Connect(); return TryAsk(next); }, "The places were not given back.");
    }

    [Fact]
    public void Peers_that_hang_up_before_their_answer_do_no_harm()
    {
        List<UnixSocket> silent = [.. Enumerable.Range(0, 15).Select(_ => Connect())];
        for (int i = 0; i < 300; i++)
        {
            Connect().Dispose(); // refused, but nobody is there to read it
        }

        silent.ForEach(socket => socket.Dispose());
        Blocking.Until(() => { using UnixSocket next = Connect(); return TryAsk(next); }, "The places were not given back.");
        for (int i = 0; i < 300; i++)
        {
            using UnixSocket socket = Connect();
            Assert.True(socket.TrySend(MessageCodec.Encode(new ReadCountersRequest { Id = 1 })) > 0);
        }

        _device.Configure(0);
    }

    [Fact]
    public void A_peer_that_does_not_read_its_answers_loses_its_connection()
    {
        using UnixSocket socket = Connect();
        byte[] request = Encoding.UTF8.GetBytes("{");
        try
        {
            Blocking.Until(() => { while (socket.TrySend(request) > 0) { } return false; }, "");
        }
        catch (LinuxException)
        {
            // Cut.
        }

        _device.Configure(0);
    }

    [Fact]
    public void A_test_whose_asker_has_gone_is_cancelled_and_the_next_one_runs()
    {
        _device.Configure(0);
        for (int i = 0; i < 20; i++)
        {
            using UnixSocket socket = Connect();
            Assert.True(socket.TrySend(MessageCodec.Encode(new DeviceTestRequest { Id = 1, Plan = Plan(i % 2 == 0 ? 60_000 : 1) })) > 0);
        }

        // Whatever the last of them has left: this answer is of this test, which lasts a minute unless it has 1 request.
        DeviceReply? reply = null;
        Blocking.Until(
            () => (reply = _device.Ask(id => new DeviceTestRequest { Id = id, Plan = Plan(30) })) is DeviceTestReply,
            "The tester stays busy.");
        Assert.InRange(Assert.IsType<DeviceTestReply>(reply).Result.Seconds, 0.02, 60);
    }

    [Fact]
    public void Two_tests_do_not_run_at_once()
    {
        _device.Configure(0);
        using UnixSocket first = Connect();
        Assert.True(first.TrySend(MessageCodec.Encode(new DeviceTestRequest { Id = 1, Plan = Plan(60_000) })) > 0);
        DeviceReply reply = Ask(first, new ReadCountersRequest { Id = 2 });
        _ = Assert.IsType<DeviceCountersReply>(reply);
        Assert.Equal(ErrorCode.DeviceUnavailable, Assert.IsType<DeviceErrorReply>(_device.Ask(id => new DeviceTestRequest { Id = id, Plan = Plan(1) })).Code);
    }

    [Fact]
    public void Lines_that_a_peer_can_provoke_are_few()
    {
        _device.Configure(0);
        for (int i = 0; i < 200; i++)
        {
            _ = Refusal(id => Configure(id, 1) with { Mac = Mac(0) });
        }

        Assert.InRange(_device.Log.Lines.Count, 1, 150);
    }

    private UnixSocket Connect() => Blocking.Connect(_device.ManagementPath, UnixSocketKind.SequencedPacket);

    private ErrorCode Refusal(Func<ulong, DeviceRequest> request) => Assert.IsType<DeviceErrorReply>(_device.Ask(request)).Code;

    private static ConfigurePortRequest Configure(ulong id, int port) => new() { Id = id, Port = port, Mac = Mac(port & 3), Address = Address(port & 3) };

    private static DeviceReply Ask(UnixSocket socket, DeviceRequest request)
    {
        Assert.True(socket.TrySend(MessageCodec.Encode(request)) > 0);
        return Receive(socket);
    }

    private static bool TryAsk(UnixSocket socket)
    {
        try
        {
            return Ask(socket, new ReadCountersRequest { Id = 1 }) is DeviceCountersReply;
        }
        catch (LinuxException)
        {
            return false;
        }
    }

    private static DeviceErrorReply Refused(UnixSocket socket, byte[] message, params Descriptor[] descriptors)
    {
        Assert.Equal(message.Length, socket.TrySend(message, descriptors));
        return Assert.IsType<DeviceErrorReply>(Receive(socket));
    }

    private static TestPlan Plan(int milliseconds) => new()
    {
        TargetMac = Mac(0),
        Target = Address(0),
        TargetPort = 7,
        Source = Ipv4Address.Parse("10.7.0.254"),
        WarmupMilliseconds = 0,
        DurationMilliseconds = milliseconds,
        LossTimeoutMilliseconds = 5,
    };
}
