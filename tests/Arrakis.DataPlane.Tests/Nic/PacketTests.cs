using Arrakis.DataPlane.Tests.Device;

namespace Arrakis.DataPlane.Tests.Nic;

/// <summary>What a handler may do with packets, and what is refused.</summary>
public sealed class PacketTests : IAsyncDisposable
{
    private readonly TestDevice _device = new(queueSize: 16, buffers: 64);
    private readonly NicBinding _nic;

    public PacketTests()
    {
        _nic = _device.Bind();
        _ = _nic.PollOnce(static (_, _) => { });
        _ = _device.TakeSent();
    }

    [Fact]
    public void A_batch_has_the_datagrams_only_in_the_order_in_which_they_came()
    {
        _device.Deliver(TestFrames.Udp(1, 7, [1]));
        _device.Deliver(TestFrames.Echo("x"u8));
        _device.Deliver(TestFrames.Udp(1, 8, [2]));
        _device.Deliver(new byte[60]);
        _device.Deliver(TestFrames.Udp(1, 9, [3]));
        var seen = new List<(int Port, byte Payload)>();
        Assert.Equal(5, _nic.PollOnce((received, _) =>
        {
            Assert.Equal(3, received.Count);
            foreach (Packet packet in received)
            {
                Assert.True(packet.TryGetUdp(out UdpDatagram datagram));
                seen.Add((datagram.DestinationPort, datagram.Payload[0]));
            }
        }));
        Assert.Equal([(7, 1), (8, 2), (9, 3)], seen);
        Assert.Equal(3, _nic.Counters.DatagramsDelivered);
    }

    [Fact]
    public void No_handler_is_called_for_no_datagram()
    {
        Assert.Equal(0, _nic.PollOnce(static (_, _) => Assert.Fail("nothing came")));
        _device.Deliver(TestFrames.Echo("x"u8));
        Assert.Equal(1, _nic.PollOnce(static (_, _) => Assert.Fail("no datagram came")));
    }

    [Fact]
    public void A_packet_shows_the_whole_frame()
    {
        byte[] frame = TestFrames.Udp(1, 7, "hello"u8);
        byte[] seen = [];
        Handle(frame, (packet, _) => seen = packet.Frame.ToArray());
        Assert.Equal(frame, seen);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(1000)]
    public void A_posted_reply_cannot_be_used_or_posted_again(int length)
    {
        // Short replies are copied to another buffer and long ones move: the handler is not to see the difference.
        Handle(TestFrames.Udp(1, 7, new byte[length]), static (packet, transmit) =>
        {
            Assert.True(packet.TryGetUdp(out UdpDatagram datagram));
            Packet reply = datagram.Reply();
            Assert.True(transmit.Post(reply));
            AssertStale(reply, transmit);
            AssertStale(packet, datagram, transmit);
        });
        Assert.Equal(length, TestFrames.ReadUdp(_device.TakeSent()).Payload.Length);
        Assert.Null(_device.TryTakeSent());
    }

    [Theory]
    [InlineData(10)]
    [InlineData(1000)]
    public void A_posted_frame_is_not_changed_by_what_becomes_of_its_receive_buffer(int length)
    {
        byte[] first = [.. Enumerable.Repeat((byte)1, length)];
        Handle(TestFrames.Udp(1, 7, first), static (packet, transmit) =>
        {
            Assert.True(packet.TryGetUdp(out UdpDatagram datagram));
            Assert.True(transmit.Post(datagram.Reply()));
        });
        for (int i = 0; i < 40; i++)
        {
            Handle(TestFrames.Udp(1, 7, [.. Enumerable.Repeat((byte)2, length)]), static (_, _) => { });
        }

        Assert.Equal(first, TestFrames.ReadUdp(_device.TakeSent()).Payload);
    }

    [Fact]
    public void A_received_frame_can_be_changed_and_posted_as_it_is()
    {
        byte[] frame = TestFrames.Udp(1, 7, "hello"u8);
        Handle(frame, static (packet, transmit) =>
        {
            packet.Frame[^1] = (byte)'0';
            Assert.True(transmit.Post(packet));
        });
        byte[] sent = _device.TakeSent();
        Assert.Equal([.. frame[..^1], (byte)'0'], sent);
    }

    [Fact]
    public void A_reply_may_be_longer_than_the_request_up_to_the_MTU_and_no_more()
    {
        Handle(TestFrames.Udp(1, 7, "x"u8), (packet, transmit) =>
        {
            Assert.True(packet.TryGetUdp(out UdpDatagram datagram));
            Assert.Equal(_nic.MaxDatagramLength, datagram.PayloadBuffer.Length);
            datagram.PayloadBuffer.Fill(9);
            Assert.True(TooLong(datagram, _nic.MaxDatagramLength + 1));
            Assert.True(TooLong(datagram, -1));
            Assert.True(transmit.Post(datagram.Reply(_nic.MaxDatagramLength)));
        });
        Assert.Equal([.. Enumerable.Repeat((byte)9, _nic.MaxDatagramLength)], TestFrames.ReadUdp(_device.TakeSent()).Payload);
    }

    [Fact]
    public void A_rented_packet_is_built_and_posted()
    {
        byte[] frame = TestFrames.Udp(3, 4, "made here"u8);
        Handle(TestFrames.Udp(1, 7, "x"u8), (request, transmit) =>
        {
            Assert.True(transmit.TryRent(frame.Length, out Packet packet));
            Assert.Equal(frame.Length, packet.Frame.Length);
            Assert.False(packet.TryGetUdp(out UdpDatagram _));
            frame.CopyTo(packet.Frame);
            Assert.True(transmit.Post(packet));
            AssertStale(packet, transmit);
        });
        Assert.Equal(frame, _device.TakeSent());
    }

    [Fact]
    public void A_rented_packet_is_given_back_once()
    {
        Handle(TestFrames.Udp(1, 7, "x"u8), static (request, transmit) =>
        {
            Assert.True(transmit.TryRent(60, out Packet packet));
            transmit.Return(packet);
            AssertStale(packet, transmit);
            try
            {
                transmit.Return(packet);
            }
            catch (InvalidOperationException)
            {
                return;
            }

            Assert.Fail("given back twice");
        });
    }

    [Fact]
    public void The_default_packet_is_refused()
    {
        Handle(TestFrames.Udp(1, 7, "x"u8), static (request, transmit) =>
        {
            try
            {
                _ = transmit.Post(default);
            }
            catch (InvalidOperationException)
            {
                return;
            }

            Assert.Fail("posted nothing");
        });
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1515)]
    public void A_rented_frame_has_no_impossible_length(int length) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Handle(TestFrames.Udp(1, 7, "x"u8), (request, transmit) => transmit.TryRent(length, out Packet _)));

    [Fact]
    public void An_exception_of_the_handler_comes_through_and_the_rings_go_on()
    {
        for (int i = 0; i < 100; i++)
        {
            Assert.Throws<NotSupportedException>(() => Handle(TestFrames.Udp(1, 7, "x"u8), static (packet, transmit) =>
            {
                Assert.True(packet.TryGetUdp(out UdpDatagram datagram));
                Assert.True(transmit.Post(datagram.Reply()));
                throw new NotSupportedException();
            }));
            Assert.NotNull(_device.TryTakeSent()); // What was posted before goes.
        }
    }

    [Fact]
    public void Replies_of_a_large_batch_go_before_the_handler_returns()
    {
        for (byte i = 0; i < 16; i++)
        {
            _device.Deliver(TestFrames.Udp(1, 7, [i]));
        }

        Assert.Equal(16, _nic.PollOnce(NativeEchoTests.Echo));
        for (byte i = 0; i < 16; i++)
        {
            Assert.Equal([i], TestFrames.ReadUdp(_device.TakeSent()).Payload);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _nic.DisposeAsync();
        _device.Dispose();
    }

    private delegate void OnPacket(Packet packet, TransmitQueue transmit);

    private void Handle(byte[] frame, OnPacket handler)
    {
        _device.Deliver(frame);
        int handled = 0;
        Assert.Equal(1, _nic.PollOnce((received, transmit) =>
        {
            foreach (Packet packet in received)
            {
                handled++;
                handler(packet, transmit);
            }
        }));
        Assert.Equal(1, handled);
    }

    private static bool TooLong(UdpDatagram datagram, int length)
    {
        try
        {
            _ = datagram.Reply(length);
            return false;
        }
        catch (ArgumentOutOfRangeException)
        {
            return true;
        }
    }

    private static void AssertStale(Packet packet, TransmitQueue transmit)
    {
        Assert.True(Refuses(packet, static (p, t) => _ = p.Frame.Length, transmit), "its frame was shown");
        Assert.True(Refuses(packet, static (p, t) => _ = t.Post(p), transmit), "it was posted again");
    }

    private static void AssertStale(Packet packet, UdpDatagram datagram, TransmitQueue transmit)
    {
        AssertStale(packet, transmit);
        bool refused = false;
        try
        {
            _ = datagram.Payload.Length;
        }
        catch (InvalidOperationException)
        {
            refused = true;
        }

        Assert.True(refused, "its payload was shown");
        refused = false;
        try
        {
            _ = datagram.Reply();
        }
        catch (InvalidOperationException)
        {
            refused = true;
        }

        Assert.True(refused, "it was turned round again");
    }

    private static bool Refuses(Packet packet, OnPacket use, TransmitQueue transmit)
    {
        try
        {
            use(packet, transmit);
            return false;
        }
        catch (InvalidOperationException)
        {
            return true;
        }
    }
}
