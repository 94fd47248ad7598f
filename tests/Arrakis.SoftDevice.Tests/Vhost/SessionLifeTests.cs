using Arrakis.Native.Sockets;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.TestBed.Processes;
using Arrakis.Wire.VhostUser;
using CsCheck;
using static Arrakis.SoftDevice.Tests.Support.DeviceUnderTest;

namespace Arrakis.SoftDevice.Tests.Vhost;

public sealed class SessionLifeTests : IDisposable
{
    private readonly DeviceUnderTest _device = new();

    public SessionLifeTests()
    {
        _device.Configure(0);
        _device.Configure(1);
    }

    public void Dispose() => _device.Dispose();

    [Fact]
    public void A_front_end_that_hangs_up_in_the_middle_of_a_message_leaves_nothing()
    {
        byte[] message = new byte[VhostUserHeader.Length + 40];
        new VhostUserHeader(VhostUserRequest.SetMemoryTable, VhostUserHeader.Version, 40).Write(message);
        using var memory = new QueueMemory(4096);
        Settle();
        int before = OpenDescriptors.Count();
        for (int length = 1; length < message.Length; length++)
        {
            using FrontEnd frontEnd = _device.Connect(0);
            Assert.Equal(length, frontEnd.Socket.TrySend(message.AsSpan(0, length), memory.File.Descriptor, memory.File.Descriptor));
        }

        Settle();
        OpenDescriptors.AssertNoMoreThan(before);
    }

    [Fact]
    public void A_message_may_come_in_pieces()
    {
        using FrontEnd frontEnd = _device.Connect(0);
        byte[] message = new byte[VhostUserHeader.Length];
        new VhostUserHeader(VhostUserRequest.GetQueueCount, VhostUserHeader.Version, 0).Write(message);
        foreach (byte one in message)
        {
            Assert.Equal(1, frontEnd.Socket.TrySend([one]));
        }

        Assert.Equal(8, frontEnd.ReceiveReply(VhostUserRequest.GetQueueCount)[0]);
    }

    [Fact]
    public void The_newest_front_end_has_the_port()
    {
        using FrontEnd peer = _device.Connect(1);
        peer.Start();
        using FrontEnd old = _device.Connect(0);
        old.Start();
        using FrontEnd frontEnd = _device.Connect(0);
        frontEnd.Start();
        Assert.True(old.IsClosed());
        byte[] frame = Frames.Udp(Mac(0), Mac(1), Address(1), Address(0));
        peer.SendFrame(frame);
        Assert.Equal(frame, frontEnd.ReceiveFrame());
        Assert.False(old.TryReceiveFrame(out _));
    }

    [Fact]
    public void A_session_that_comes_again_goes_on_from_the_rings_used_index()
    {
        using FrontEnd peer = _device.Connect(1);
        peer.Start();
        FrontEnd frontEnd = _device.Connect(0);
        frontEnd.Start();
        byte[] toPeer = Frames.Udp(Mac(1), Mac(0), Address(0), Address(1));
        byte[] toUs = Frames.Udp(Mac(0), Mac(1), Address(1), Address(0));
        int taken = 0;
        for (int session = 0; session < 5; session++)
        {
            for (int i = 0; i < 100; i++)
            {
                frontEnd.SendFrame(toPeer);
                Assert.Equal(toPeer, peer.ReceiveFrame());
                peer.SendFrame(toUs);
                Assert.Equal(toUs, frontEnd.ReceiveFrame());
                taken++;
            }

            // Killed in the middle: no ring is stopped before.
            frontEnd = frontEnd.ConnectAgain(UnixSocket.Connect(_device.FunctionPath(0), UnixSocketKind.Stream));
            Assert.Equal((ushort)taken, frontEnd.Transmit.UsedIndex);
        }

        frontEnd.Dispose();
        Assert.Equal(taken, _device.Counters("vf0").FramesIn);
        Assert.Empty(_device.Counters("vf0").Drops);
    }

    [Fact]
    public void Sessions_of_every_kind_leave_no_descriptor()
    {
        Gen<Action<FrontEnd>> step = Gen.OneOf<Action<FrontEnd>>(
        [
            frontEnd => frontEnd.Send(VhostUserRequest.SetOwner, []),
            frontEnd => frontEnd.Send(VhostUserRequest.SetFeatures, (ulong)FrontEnd.Features),
            frontEnd => frontEnd.SendTable(),
            frontEnd => frontEnd.SetRing(0, frontEnd.Receive, 0),
            frontEnd => frontEnd.SetRing(1, frontEnd.Transmit, 0),
            frontEnd => frontEnd.Send(VhostUserRequest.SetVringError, 0UL, frontEnd.Call.Descriptor),
            frontEnd => frontEnd.Send(VhostUserRequest.SetVringCall, 1UL, frontEnd.Kicks[0].Descriptor),
            frontEnd => frontEnd.Send(VhostUserRequest.SetVringKick, 0UL, frontEnd.Kicks[1].Descriptor),
            frontEnd => frontEnd.Send(VhostUserRequest.SetVringKick, 9UL, frontEnd.Kicks[1].Descriptor),
            frontEnd => frontEnd.Send(VhostUserRequest.SetVringCall, VringDescriptorPayload.NoDescriptor),
            frontEnd => frontEnd.Send(VhostUserRequest.SetVringCall, 0UL, frontEnd.Memory.File.Descriptor),
            frontEnd => frontEnd.Send(VhostUserRequest.SetVringCall, 0UL, frontEnd.Call.Descriptor, frontEnd.Call.Descriptor),
            frontEnd => frontEnd.Send(VhostUserRequest.GetFeatures, [], frontEnd.Call.Descriptor),
            frontEnd => frontEnd.SendState(VhostUserRequest.GetVringBase, 0, 0),
            frontEnd => frontEnd.Send(VhostUserRequest.ResetOwner, []),
        ]);
        Settle();
        int before = OpenDescriptors.Count();
        step.List[1, 20].Sample(
            steps =>
            {
                using FrontEnd frontEnd = _device.Connect(0);
                frontEnd.MakeMemory();
                foreach (Action<FrontEnd> act in steps)
                {
                    try
                    {
                        act(frontEnd);
                    }
                    catch (Native.LinuxException)
                    {
                        break; // the device has ended the session
                    }
                }
            },
            seed: Seeds.Fixed,
            iter: 200,
            threads: 1);
        Settle();
        OpenDescriptors.AssertNoMoreThan(before);
    }

    // The descriptors that are open when the device has handled everything: a new session ends the one before it.
    // The sessions before have ended when the next one answers.
    private void Settle()
    {
        using FrontEnd last = _device.Connect(0);
        last.Barrier();
    }
}
