using System.Buffers.Binary;
using Arrakis.Contract;
using Arrakis.SoftDevice.Switch;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.Wire;
using Arrakis.Wire.Virtio;
using CsCheck;
using static Arrakis.SoftDevice.Tests.Support.SwitchUnderTest;

namespace Arrakis.SoftDevice.Tests.Switch;

public sealed class OffloadTests
{
    private const VirtioFeatures Host = VirtioFeatures.NetChecksum | VirtioFeatures.NetHostTso4 | VirtioFeatures.NetHostTso6 | VirtioFeatures.NetHostUso;
    private const VirtioFeatures Guest = VirtioFeatures.NetGuestChecksum | VirtioFeatures.NetGuestTso4 | VirtioFeatures.NetGuestTso6 | VirtioFeatures.NetGuestUso4 | VirtioFeatures.NetGuestUso6;
    private const VirtioFeatures Base = VirtioFeatures.Version1 | VirtioFeatures.NetMergeableReceiveBuffers;

    private static readonly MacAddress _kernelMac = MacAddress.Parse("02:00:00:00:00:99");
    private static readonly Ipv4Address _outside = Ipv4Address.Parse("192.0.2.1");

    [Fact]
    public void Segments_are_what_the_frame_stands_for()
    {
        Gen.Select(Gen.Bool, Gen.Bool, Gen.Int[0, 10], Gen.Int[1, 9000], Gen.Int[1, 1400]).Sample(
            test =>
            {
                (bool isTcp, bool isIpv6, int options, int payload, int size) = test;
                if ((payload - 1) / size >= FrameOffload.MaxSegments)
                {
                    return;
                }

                byte[] frame = Large(isTcp, isIpv6, options * 4, payload);
                byte[] original = [.. frame];
                var completion = new FrameCompletion();
                Assert.True(FrameOffload.TryRead(LargeFrames.Header(frame, size), frame, Host, EthernetSwitch.MaxFrameLength, out FrameOffload offload));
                List<byte[]> made = [];
                int done = 0;
                while (completion.TryNext(frame, offload, ref done, out ReadOnlySpan<byte> next))
                {
                    made.Add([.. next]);
                }

                LargeFrames.AssertStandsFor(original, size, made);
            },
            seed: "0000KOIgTR2Y",
            iter: 2000);
    }

    [Fact]
    public void The_largest_frame_is_cut()
    {
        using var device = new SwitchUnderTest(features: Base | Host);
        device.ConfigureAll();
        byte[] frame = Large(isTcp: true, isIpv6: false, 12, 65535 - 20 - 32);
        device.Post(0, frame, LargeFrames.Header(frame, 1448));
        device.Poll();
        LargeFrames.AssertStandsFor(frame, 1448, device.Received(1));
        Assert.Equal(frame.Length, device.Statistics("vf0").Read().BytesIn);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    public void A_driver_that_takes_it_gets_the_frame_as_it_is(bool isTcp, bool isIpv6)
    {
        using var device = new SwitchUnderTest(features: Base | Host | Guest);
        device.ConfigureAll();
        byte[] frame = Large(isTcp, isIpv6, 0, 30_000);
        byte[] header = LargeFrames.Header(frame, 1000);
        device.Post(0, frame, header);
        device.Poll();
        (byte[] gotHeader, byte[] got) = Assert.Single(device.ReceivedWithHeaders(1));
        Assert.Equal(header[..10], gotHeader[..10]);

        // The checksum is that of the pseudo header, which is the device's own; all else is untouched.
        int checksum = 14 + 20 + (isTcp ? 16 : 6);
        Assert.Equal(frame[..checksum], got[..checksum]);
        Assert.Equal(frame[(checksum + 2)..], got[(checksum + 2)..]);
        Assert.Empty(device.Drops("vf1"));
    }

    [Fact]
    public void Each_receiver_gets_what_it_has_negotiated()
    {
        using var device = new SwitchUnderTest(features: Base | Host);
        device.AttachReceive(1, Base | VirtioFeatures.NetGuestChecksum);
        device.AttachReceive(2, Base | Guest);
        device.ConfigureAll();
        byte[] small = Large(isTcp: false, isIpv6: false, 0, 100, to: MacAddress.Broadcast);
        device.Post(0, small, LargeFrames.Header(small));
        device.Poll();
        (byte[] header, _) = Assert.Single(device.ReceivedWithHeaders(1));
        Assert.Equal(VirtioNetHeader.NeedsChecksum, header[0]);
        LargeFrames.AssertComplete(Assert.Single(device.ReceivedByKernel()));

        byte[] large = Large(isTcp: false, isIpv6: false, 0, 5000, to: MacAddress.Broadcast);
        device.Post(0, large, LargeFrames.Header(large, 999));
        device.Poll();
        List<(byte[] Header, byte[] Frame)> cut = device.ReceivedWithHeaders(1);
        LargeFrames.AssertStandsFor(large, 999, [.. cut.Select(one => one.Frame)]);
        Assert.All(cut, one => Assert.Equal(VirtioNetHeader.DataValid, one.Header[0]));
        LargeFrames.AssertStandsFor(large, 999, device.ReceivedByKernel());
        Assert.Equal(2, device.Received(2).Count);
    }

    [Fact]
    public void A_checksum_is_called_right_only_where_it_is()
    {
        using var device = new SwitchUnderTest(features: Base | VirtioFeatures.NetGuestChecksum);
        device.ConfigureAll();
        byte[] frame = Frames.Udp(Mac(1), Mac(0), Address(0), Address(1));
        byte[] wrong = [.. frame];
        wrong[^1] ^= 1;
        byte[] none = [.. frame];
        none[40] = none[41] = 0;
        foreach ((byte[] sent, byte expected) in ((byte[], byte)[])[(frame, VirtioNetHeader.DataValid), (wrong, 0), (none, 0)])
        {
            device.Send(0, sent);
            (byte[] header, byte[] got) = Assert.Single(device.ReceivedWithHeaders(1));
            Assert.Equal(sent, got);
            Assert.Equal(expected, header[0]);
        }
    }

    [Theory]
    [InlineData("csum_start", 6, 33)]
    [InlineData("csum_start past the frame", 6, 60_000)]
    [InlineData("csum_offset", 8, 6)]
    [InlineData("csum_offset past the frame", 8, 60_000)]
    [InlineData("hdr_len below the headers", 2, 53)]
    [InlineData("hdr_len past the frame", 2, 60_000)]
    [InlineData("gso_size of zero", 4, 0)]
    [InlineData("gso_size for more segments than are made", 4, 2)]
    [InlineData("gso_size over the MTU", 4, 1461)]
    [InlineData("another segment type", 0, 0x0401)]
    [InlineData("segments of UDP", 0, 0x0501)]
    [InlineData("UFO", 0, 0x0301)]
    [InlineData("no checksum asked for", 0, 0x0100)]
    [InlineData("ECN, which is not offered", 0, 0x8101)]
    public void What_does_not_fit_the_frame_is_dropped(string what, int offset, int value)
    {
        using var device = new SwitchUnderTest(features: Base | Host);
        device.ConfigureAll();
        byte[] frame = Large(isTcp: true, isIpv6: false, 0, 3000);
        byte[] header = LargeFrames.Header(frame, 1460);
        device.Post(0, frame, header);
        device.Poll();
        Assert.Equal(3, device.Received(1).Count);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(offset), (ushort)value);
        device.Post(0, frame, header);
        device.Poll();
        Assert.Equal(("offload-invalid", 1L), (Assert.Single(device.Drops("vf0")).Key, device.Drops("vf0")["offload-invalid"]));
        Assert.True(device.Received(1).Count == 0, what);
    }

    [Fact]
    public void What_the_frames_own_headers_say_wrongly_is_dropped()
    {
        using var device = new SwitchUnderTest(features: Base | Host);
        device.ConfigureAll();
        byte[] frame = Large(isTcp: true, isIpv6: false, 0, 3000);
        byte[] header = LargeFrames.Header(frame, 1460);
        int dropped = 0;
        foreach ((int at, byte value) in ((int, byte)[])[(14, 0x46), (14, 0x4F), (16, 0xFF), (17, (byte)(frame[17] - 1)), (20, 0x20), (21, 1), (23, 17), (23, 1), (46, 0x40), (46, 0xF0)])
        {
            byte[] wrong = [.. frame];
            wrong[at] = value;
            if (at == 46 && value == 0xF0)
            {
                BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(2), 54); // the options would be cut
            }

            device.Post(0, wrong, header);
            device.Poll();
            Assert.Equal(++dropped, device.Drops("vf0").GetValueOrDefault("offload-invalid"));
        }

        Assert.Empty(device.Received(1));
    }

    [Fact]
    public void Any_header_on_any_frame_is_dropped_or_makes_complete_frames()
    {
        using var device = new SwitchUnderTest(features: Base | Host);
        device.ConfigureAll();
        Gen<byte> flags = Gen.Byte[0, 3];
        Gen<byte> kind = Gen.OneOf(Gen.Byte, Gen.Byte[0, 5]);
        Gen<ushort> length = Gen.OneOf(Gen.UShort, Gen.UShort[0, 1500]);
        Gen.Select(Gen.Select(flags, kind, length, length), Gen.UShort[30, 60], Gen.UShort[0, 20], Gen.Bool, Gen.Int[0, 3000], Gen.Select(Gen.Int[14, 60], Gen.Byte).List[0, 2]).Sample(
            test =>
            {
                ((byte flags, byte kind, ushort hdr, ushort size) start, ushort csumStart, ushort csumOffset, bool isTcp, int payload, List<(int, byte)> changes) = test;
                byte[] frame = Large(isTcp, isIpv6: false, 0, payload);
                foreach ((int at, byte value) in changes)
                {
                    frame[Math.Min(at, frame.Length - 1)] = value;
                }

                byte[] header = new byte[12];
                header[0] = start.flags;
                header[1] = start.kind;
                BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(2), start.hdr);
                BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(4), start.size);
                BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(6), csumStart);
                BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(8), csumOffset);
                long before = device.Drops("vf0").Values.Sum();
                device.Post(0, frame, header);
                device.Poll();
                List<byte[]> received = device.Received(1);
                bool dropped = device.Drops("vf0").Values.Sum() != before;
                Assert.False(dropped && received.Count != 0);
                if (received.Count != 0 && (start.flags & 1) != 0)
                {
                    Assert.All(received, static one => Assert.InRange(one.Length, 14, EthernetSwitch.MaxFrameLength));
                }
            },
            seed: "0000KOIgTR2Y",
            iter: 5000,
            threads: 1);
    }

    [Fact]
    public void A_large_frame_counts_with_all_its_bytes_against_the_rate()
    {
        using var device = new SwitchUnderTest(features: Base | Host);
        device.ConfigureAll();
        const long BitsPerSecond = 8_000_000; // a byte a microsecond
        device.Configure(0, rate: new RateSpecifier(BitsPerSecond, 2000));
        byte[] frame = Large(isTcp: true, isIpv6: false, 0, 20_000);
        byte[] header = LargeFrames.Header(frame, 1448);
        device.Post(0, frame, header);
        device.Post(0, frame, header);
        device.Poll();
        Assert.Equal(14, device.Received(1).Count);

        // The bucket was full, and is in debt for all but the burst: the second passes when it is full again.
        device.Clock.Advance((frame.Length - 1) * 1000L);
        device.Poll();
        Assert.Empty(device.Received(1));
        device.Clock.Advance(1000);
        device.Poll();
        Assert.Equal(14, device.Received(1).Count);
    }

    [Fact]
    public void Filter_and_identity_hold_for_large_frames()
    {
        using var device = new SwitchUnderTest(features: Base | Host | Guest);
        device.ConfigureAll();
        device.Configure(1, filter: new FilterRule { Direction = FilterDirection.Receive, Protocol = FilterProtocol.Udp });
        byte[] foreign = Large(isTcp: true, isIpv6: false, 0, 5000, source: _outside);
        device.Post(0, foreign, LargeFrames.Header(foreign, 1000));
        byte[] filtered = Large(isTcp: true, isIpv6: false, 0, 5000);
        device.Post(0, filtered, LargeFrames.Header(filtered, 1000));
        device.Poll();
        Assert.Empty(device.Received(1));
        Assert.Equal(1, device.Drops("vf0")["source-address-foreign"]);
        Assert.Equal(1, device.Drops("vf1")["filter-receive"]);
    }

    [Fact]
    public void A_driver_with_a_smaller_mtu_neither_sends_nor_gets_more()
    {
        using var device = new SwitchUnderTest(features: Base | Host | Guest);
        device.ConfigureAll();
        device.Core.Functions[1].SetMtu(1000);
        device.Send(0, Frames.Udp(Mac(1), Mac(0), Address(0), Address(1), payload: 972));
        Assert.Single(device.Received(1));
        device.Send(0, Frames.Udp(Mac(1), Mac(0), Address(0), Address(1), payload: 973));
        byte[] large = Large(isTcp: true, isIpv6: false, 0, 5000);
        device.Post(0, large, LargeFrames.Header(large, 961));
        device.Poll();
        Assert.Empty(device.Received(1));
        Assert.Equal(2, device.Drops("vf1")["frame-too-long"]);
        device.Post(0, large, LargeFrames.Header(large, 960));
        device.Send(1, Frames.Udp(Mac(0), Mac(1), Address(1), Address(0), payload: 973));
        Assert.Single(device.Received(1));
        Assert.Equal(3, device.Drops("vf1")["frame-too-long"]);
        Assert.Empty(device.Received(0));
    }

    [Fact]
    public void A_frame_of_the_kernel_comes_as_it_is_or_cut()
    {
        using var device = new SwitchUnderTest(features: Base | Host);
        device.AttachReceive(1, Base | Guest);
        device.ConfigureAll();
        foreach (bool isIpv6 in (bool[])[false, true])
        {
            byte[] frame = LargeFrames.Build(MacAddress.Broadcast, _kernelMac, _outside, Address(0), isTcp: true, isIpv6, 0, 7000);
            byte[] copy = [.. frame];
            byte[] header = LargeFrames.Header(frame, 1400);
            Assert.True(FrameOffload.TryRead(header, copy, Host, EthernetSwitch.MaxFrameLength, out FrameOffload offload));
            device.Core.Switch.FromUplink(copy, offload);
            device.Core.Switch.Flush();
            LargeFrames.AssertStandsFor(frame, 1400, device.Received(0));
            (byte[] gotHeader, byte[] got) = Assert.Single(device.ReceivedWithHeaders(1));
            Assert.Equal(header[..10], gotHeader[..10]);
            Assert.Equal(copy, got);
        }
    }

    private static byte[] Large(bool isTcp, bool isIpv6, int options, int payload, MacAddress? to = null, Ipv4Address? source = null) =>
        LargeFrames.Build(to ?? Mac(1), Mac(0), source ?? Address(0), Address(1), isTcp, isIpv6, options, payload);
}
