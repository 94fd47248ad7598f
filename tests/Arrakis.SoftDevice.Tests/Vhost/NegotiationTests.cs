using System.Buffers.Binary;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.Wire.VhostUser;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Tests.Vhost;

public sealed class NegotiationTests : IDisposable
{
    private readonly DeviceUnderTest _device = new();

    public void Dispose() => _device.Dispose();

    [Theory]
    [InlineData(VirtioFeatures.NetHostTso4, VirtioFeatures.NetChecksum)]
    [InlineData(VirtioFeatures.NetHostTso6, VirtioFeatures.NetChecksum)]
    [InlineData(VirtioFeatures.NetHostUso, VirtioFeatures.NetChecksum)]
    [InlineData(VirtioFeatures.NetGuestTso4, VirtioFeatures.NetGuestChecksum)]
    [InlineData(VirtioFeatures.NetGuestTso6, VirtioFeatures.NetGuestChecksum)]
    [InlineData(VirtioFeatures.NetGuestUso4, VirtioFeatures.NetGuestChecksum)]
    [InlineData(VirtioFeatures.NetGuestUso6, VirtioFeatures.NetGuestChecksum)]
    public void A_feature_without_what_it_needs_is_refused_by_both_names(VirtioFeatures feature, VirtioFeatures needed)
    {
        using (FrontEnd frontEnd = _device.Connect(0))
        {
            frontEnd.Send(VhostUserRequest.SetFeatures, (ulong)(FrontEnd.Features | feature));
            Assert.True(frontEnd.IsClosed());
        }

        Blocking.Until(() => _device.Log.Lines.Any(line => line.Contains($"{feature} needs {needed}", StringComparison.Ordinal)), "Nothing is said.");
        using FrontEnd next = _device.Connect(0);
        next.Send(VhostUserRequest.SetFeatures, (ulong)(FrontEnd.Features | feature | needed));
        next.Barrier();
    }

    [Fact]
    public void The_configuration_space_tells_address_link_queues_and_mtu()
    {
        using FrontEnd frontEnd = _device.Connect(0);
        frontEnd.Negotiate();
        Assert.False(VirtioNetConfig.Read(Config(frontEnd, 0, 12)).IsLinkUp);
        _device.Configure(0);
        Assert.Equal(new VirtioNetConfig(DeviceUnderTest.Mac(0), true, 8, 1500), VirtioNetConfig.Read(Config(frontEnd, 0, 12)));
        Assert.Equal([8, 0], Config(frontEnd, 8, 2));
        Assert.Equal(new byte[244], Config(frontEnd, 12, 244));
        frontEnd.Send(VhostUserRequest.SetProtocolFeatures, (ulong)FrontEnd.OfferedProtocolFeatures);
        frontEnd.Send(VhostUserRequest.NetSetMtu, 1280UL);
        Assert.Equal(1280, VirtioNetConfig.Read(Config(frontEnd, 0, 12)).Mtu);
    }

    [Theory]
    [InlineData(0u, 257u)]
    [InlineData(256u, 1u)]
    [InlineData(uint.MaxValue, 1u)]
    public void What_is_past_the_configuration_space_ends_the_session(uint offset, uint length)
    {
        using FrontEnd frontEnd = _device.Connect(0);
        frontEnd.Send(VhostUserRequest.GetConfig, ConfigRequest(offset, length));
        Assert.True(frontEnd.IsClosed());
    }

    [Theory]
    [InlineData(67UL)]
    [InlineData(1501UL)]
    [InlineData(ulong.MaxValue)]
    public void An_mtu_that_the_device_has_not_is_refused(ulong mtu)
    {
        using FrontEnd frontEnd = _device.Connect(0);
        frontEnd.Negotiate();
        frontEnd.Send((uint)VhostUserRequest.NetSetMtu, VhostUserHeader.Version | VhostUserHeader.NeedReplyFlag, BitConverter.GetBytes(mtu));
        Assert.Equal(1UL, BinaryPrimitives.ReadUInt64LittleEndian(frontEnd.ReceiveReply(VhostUserRequest.NetSetMtu)));
        frontEnd.Send((uint)VhostUserRequest.NetSetMtu, VhostUserHeader.Version | VhostUserHeader.NeedReplyFlag, BitConverter.GetBytes(68UL));
        Assert.Equal(0UL, BinaryPrimitives.ReadUInt64LittleEndian(frontEnd.ReceiveReply(VhostUserRequest.NetSetMtu)));
        frontEnd.Send(VhostUserRequest.NetSetMtu, mtu);
        Assert.True(frontEnd.IsClosed());
    }

    [Fact]
    public void A_second_pair_needs_multiple_queues()
    {
        using (FrontEnd frontEnd = _device.Connect(0))
        {
            frontEnd.Negotiate();
            frontEnd.SetMemory();
            frontEnd.SetRing(2, frontEnd.Receive, 0);
            Assert.True(frontEnd.IsClosed());
        }

        Blocking.Until(() => _device.Log.Lines.Any(line => line.Contains("VIRTIO_NET_F_MQ", StringComparison.Ordinal)), "Nothing is said.");
        using FrontEnd next = _device.Connect(0);
        next.Negotiate();
        next.Send(VhostUserRequest.SetFeatures, (ulong)(FrontEnd.Features | VirtioFeatures.NetMultiQueue));
        next.SetMemory();
        next.SetRing(2, next.Receive, 0);
        next.Barrier();
    }

    private static byte[] Config(FrontEnd frontEnd, uint offset, uint length)
    {
        frontEnd.Send(VhostUserRequest.GetConfig, ConfigRequest(offset, length));
        byte[] reply = frontEnd.ReceiveReply(VhostUserRequest.GetConfig);
        Assert.Equal((offset, length), (BinaryPrimitives.ReadUInt32LittleEndian(reply), BinaryPrimitives.ReadUInt32LittleEndian(reply.AsSpan(4))));
        return reply[12..];
    }

    private static byte[] ConfigRequest(uint offset, uint length)
    {
        byte[] request = new byte[12 + length];
        BinaryPrimitives.WriteUInt32LittleEndian(request, offset);
        BinaryPrimitives.WriteUInt32LittleEndian(request.AsSpan(4), length);
        return request;
    }

    /// <summary>The upper half is the used position, which QEMU tells and DPDK leaves out.</summary>
    [Theory]
    [InlineData(0x8005_8005u, 0x8005_8005u)]
    [InlineData(0x8005u, 0x8005_8005u)]
    [InlineData(0x0005_0005u, 0x0005_0005u)]
    public void A_packed_ring_has_its_position_in_both_halves(uint told, uint answered)
    {
        using FrontEnd frontEnd = _device.Connect(0);
        frontEnd.Send(VhostUserRequest.SetFeatures, (ulong)(FrontEnd.Features | VirtioFeatures.RingPacked));
        frontEnd.SendState(VhostUserRequest.SetVringBase, 0, told);
        Assert.Equal(answered, frontEnd.StopRing(0));
    }

    [Theory]
    [InlineData(true, 0x8006_8005u)]
    [InlineData(true, 0x0005_8005u)]
    [InlineData(false, 0x0005_0005u)]
    public void A_position_that_no_ring_was_left_at_ends_the_session(bool packed, uint told)
    {
        using FrontEnd frontEnd = _device.Connect(0);
        frontEnd.Send(VhostUserRequest.SetFeatures, (ulong)(packed ? FrontEnd.Features | VirtioFeatures.RingPacked : FrontEnd.Features));
        frontEnd.SendState(VhostUserRequest.SetVringBase, 0, told);
        Assert.True(frontEnd.IsClosed());
    }
}
