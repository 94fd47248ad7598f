using Arrakis.Native;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.Wire.VhostUser;
using Arrakis.Wire.Virtio;

namespace Arrakis.SoftDevice.Tests.Vhost;

public sealed class SessionRequestTests
{
    // The payload that each request of this device has, and how many descriptors come with it.
    private static readonly Dictionary<VhostUserRequest, (int Length, int Descriptors)> _requests = new()
    {
        [VhostUserRequest.GetFeatures] = (0, 0),
        [VhostUserRequest.SetFeatures] = (8, 0),
        [VhostUserRequest.SetOwner] = (0, 0),
        [VhostUserRequest.ResetOwner] = (0, 0),
        [VhostUserRequest.SetMemoryTable] = (40, 1),
        [VhostUserRequest.SetVringSize] = (8, 0),
        [VhostUserRequest.SetVringAddress] = (40, 0),
        [VhostUserRequest.SetVringBase] = (8, 0),
        [VhostUserRequest.GetVringBase] = (8, 0),
        [VhostUserRequest.SetVringKick] = (8, 1),
        [VhostUserRequest.SetVringCall] = (8, 1),
        [VhostUserRequest.SetVringError] = (8, 1),
        [VhostUserRequest.GetProtocolFeatures] = (0, 0),
        [VhostUserRequest.SetProtocolFeatures] = (8, 0),
        [VhostUserRequest.GetQueueCount] = (0, 0),
        [VhostUserRequest.SetVringEnable] = (8, 0),
        [VhostUserRequest.SetStatus] = (8, 0),
        [VhostUserRequest.GetStatus] = (0, 0),
        [VhostUserRequest.NetSetMtu] = (8, 0),
        [VhostUserRequest.GetConfig] = (24, 0),
    };

    public static TheoryData<string> Known() => [.. _requests.Keys.Select(request => request.ToString())];

    public static TheoryData<uint> Unknown() => [.. Enum.GetValues<VhostUserRequest>().Except(_requests.Keys).Select(request => (uint)request), 43, 1000, uint.MaxValue];

    [Theory]
    [MemberData(nameof(Known))]
    public void A_payload_of_another_size_ends_the_session(string name)
    {
        VhostUserRequest request = Enum.Parse<VhostUserRequest>(name);
        (int length, int descriptors) = _requests[request];
        using var device = new DeviceUnderTest();
        foreach (int wrong in (int[])[0, 1, length - 1, length + 1, length + 8, VhostUserHeader.MaxPayload])
        {
            if (wrong >= 0 && wrong != length)
            {
                AssertEnds(device, frontEnd => frontEnd.Send(request, new byte[wrong], Files(frontEnd, descriptors)));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Known))]
    public void Another_number_of_descriptors_ends_the_session(string name)
    {
        VhostUserRequest request = Enum.Parse<VhostUserRequest>(name);
        (int length, int descriptors) = _requests[request];
        using var device = new DeviceUnderTest();
        foreach (int wrong in Enumerable.Range(0, 33).Where(count => count != descriptors && count is 0 or 1 or 2 or 8 or 9 or 32))
        {
            AssertEnds(device, frontEnd =>
            {
                byte[] payload = new byte[length];
                if (request == VhostUserRequest.SetMemoryTable)
                {
                    _ = VhostMemoryRegion.WriteTable(payload, [new VhostMemoryRegion(0, 4096, 0, 0)]);
                }

                frontEnd.Send(request, payload, Files(frontEnd, wrong));
            });
        }
    }

    [Theory]
    [MemberData(nameof(Unknown))]
    public void A_request_that_was_not_offered_ends_the_session(uint request)
    {
        using var device = new DeviceUnderTest();
        AssertEnds(device, frontEnd => frontEnd.Send(request, VhostUserHeader.Version, []));
    }

    [Theory]
    [InlineData(0u)] // no version
    [InlineData(2u)] // another version
    [InlineData(VhostUserHeader.Version | VhostUserHeader.ReplyFlag)] // a reply to nothing
    public void A_header_that_is_no_requests_ends_the_session(uint flags)
    {
        using var device = new DeviceUnderTest();
        AssertEnds(device, frontEnd => frontEnd.Send((uint)VhostUserRequest.GetFeatures, flags, []));
    }

    [Fact]
    public void A_payload_over_the_limit_ends_the_session_before_it_is_read()
    {
        using var device = new DeviceUnderTest();
        AssertEnds(device, frontEnd =>
        {
            byte[] header = new byte[VhostUserHeader.Length];
            new VhostUserHeader(VhostUserRequest.SetFeatures, VhostUserHeader.Version, uint.MaxValue).Write(header);
            Assert.Equal(header.Length, frontEnd.Socket.TrySend(header));
        });
    }

    [Theory]
    [InlineData(VirtioFeatures.Version1 | VirtioFeatures.NetHostUfo)]
    [InlineData((VirtioFeatures)ulong.MaxValue)]
    [InlineData(FrontEnd.Features | VirtioFeatures.AccessPlatform)]
    [InlineData(FrontEnd.Features | VirtioFeatures.NetHashReport)]
    public void Features_that_were_not_offered_are_refused(VirtioFeatures features)
    {
        using var device = new DeviceUnderTest();
        AssertEnds(device, frontEnd => frontEnd.Send(VhostUserRequest.SetFeatures, (ulong)features));
    }

    [Fact]
    public void Protocol_features_that_were_not_offered_are_refused()
    {
        using var device = new DeviceUnderTest();
        for (int bit = 0; bit < 64; bit++)
        {
            var feature = (VhostUserProtocolFeatures)(1UL << bit);
            if ((feature & FrontEnd.OfferedProtocolFeatures) == 0)
            {
                AssertEnds(device, frontEnd => frontEnd.Send(VhostUserRequest.SetProtocolFeatures, (ulong)feature));
            }
        }
    }

    [Fact]
    public void A_driver_without_version_1_gets_no_ring()
    {
        using var device = new DeviceUnderTest();
        AssertEnds(device, frontEnd =>
        {
            frontEnd.Send(VhostUserRequest.SetFeatures, 0UL);
            frontEnd.SetMemory();
            frontEnd.SetRing(0, frontEnd.Receive, 0);
        });
    }

    [Fact]
    public void Numbers_are_answered()
    {
        using var device = new DeviceUnderTest();
        using FrontEnd frontEnd = device.Connect(0);
        frontEnd.Negotiate();
        Assert.Equal(8UL, frontEnd.Ask(VhostUserRequest.GetQueueCount));
        Assert.Equal(0UL, frontEnd.Ask(VhostUserRequest.GetStatus));
        frontEnd.Send(VhostUserRequest.SetStatus, 0x0FUL);
        Assert.Equal(0x0FUL, frontEnd.Ask(VhostUserRequest.GetStatus));
    }

    [Fact]
    public void An_acknowledgement_is_sent_where_it_was_negotiated_and_asked_for()
    {
        using var device = new DeviceUnderTest();
        using FrontEnd frontEnd = device.Connect(0);

        // Not negotiated yet: no answer comes before that of the next request.
        frontEnd.Send((uint)VhostUserRequest.SetOwner, VhostUserHeader.Version | VhostUserHeader.NeedReplyFlag, []);
        frontEnd.Barrier();
        frontEnd.Send(VhostUserRequest.SetProtocolFeatures, (ulong)VhostUserProtocolFeatures.ReplyAck);
        frontEnd.Send((uint)VhostUserRequest.SetFeatures, VhostUserHeader.Version | VhostUserHeader.NeedReplyFlag, BitConverter.GetBytes((ulong)FrontEnd.Features));
        Assert.Equal(new byte[8], frontEnd.ReceiveReply(VhostUserRequest.SetFeatures));
        frontEnd.Send(VhostUserRequest.SetFeatures, (ulong)FrontEnd.Features);
        frontEnd.Barrier();

        // A request with an answer of its own is answered once.
        frontEnd.Send((uint)VhostUserRequest.GetQueueCount, VhostUserHeader.Version | VhostUserHeader.NeedReplyFlag, []);
        Assert.Equal(8, frontEnd.ReceiveReply(VhostUserRequest.GetQueueCount)[0]);
        frontEnd.Barrier();
    }

    [Fact]
    public void The_session_has_one_owner()
    {
        using var device = new DeviceUnderTest();
        AssertEnds(device, frontEnd =>
        {
            frontEnd.Send(VhostUserRequest.SetOwner, []);
            frontEnd.Send(VhostUserRequest.SetOwner, []);
        });
    }

    // Sends what a session does not survive; another session starts as if nothing had been.
    private static void AssertEnds(DeviceUnderTest device, Action<FrontEnd> send)
    {
        using (FrontEnd frontEnd = device.Connect(0))
        {
            try
            {
                send(frontEnd);
            }
            catch (LinuxException e) when (e.Errno == Tmds.Linux.LibC.EPIPE)
            {
                // The session had ended before all was sent.
            }

            Assert.True(frontEnd.IsClosed());
        }

        using FrontEnd next = device.Connect(0);
        next.Barrier();
    }

    private static Descriptor[] Files(FrontEnd frontEnd, int count)
    {
        if (frontEnd.Memory is null)
        {
            frontEnd.MakeMemory();
        }

        return [.. Enumerable.Repeat(frontEnd.Call.Descriptor, count)];
    }
}
