using Arrakis.Contract;
using Arrakis.SoftDevice.Polling;
using Arrakis.SoftDevice.Tests.Support;
using Arrakis.Wire.VhostUser;
using Arrakis.Wire.Virtio;
using CsCheck;
using static Arrakis.SoftDevice.Tests.Support.DeviceUnderTest;

namespace Arrakis.SoftDevice.Tests.Polling;

public sealed class PollingLoopTests
{
    [Fact]
    public void An_idle_device_sleeps_and_asks_for_the_doorbell()
    {
        using DeviceUnderTest device = Device(out FrontEnd frontEnd);
        using (frontEnd)
        {
            UntilAsleep(frontEnd);
            SendAndWait(frontEnd);
            UntilAsleep(frontEnd);
        }
    }

    [Fact]
    public void No_doorbell_is_lost_whenever_it_rings()
    {
        using DeviceUnderTest device = Device(out FrontEnd frontEnd);
        using (frontEnd)
        {
            // Pauses around the time that the device spins before it sleeps.
            Gen.Int[0, 40_000].List[400].Sample(
                pauses =>
                {
                    foreach (int pause in pauses)
                    {
                        Thread.SpinWait(pause);
                        frontEnd.SendFrame(Frame());
                        SpinUntilTaken(frontEnd);
                    }
                },
                seed: Seeds.Fixed,
                iter: 5,
                threads: 1);
        }
    }

    [Fact]
    public void While_it_polls_it_asks_for_no_doorbell()
    {
        using DeviceUnderTest device = Device(out FrontEnd frontEnd, IdlePolicy.Spin);
        using (frontEnd)
        {
            for (int i = 0; i < 100; i++)
            {
                Assert.True(frontEnd.Transmit.TrySend([.. new byte[VirtioNetHeader.Length], .. Frame()]));
                ushort sent = frontEnd.Transmit.AvailableIndex;
                Blocking.Until(() => frontEnd.Transmit.UsedIndex == sent, "The frame was not taken.");
                _ = frontEnd.Reclaim();
                Assert.Equal(SplitFormat.UsedNoNotify, frontEnd.Transmit.UsedFlags);
            }
        }
    }

    [Fact]
    public void A_ring_without_a_doorbell_is_polled_always()
    {
        using DeviceUnderTest device = Device(out FrontEnd frontEnd);
        using (frontEnd)
        {
            UntilAsleep(frontEnd);
            frontEnd.Send(VhostUserRequest.SetVringKick, 1 | VringDescriptorPayload.NoDescriptor);
            frontEnd.Barrier();
            for (int i = 0; i < 50; i++)
            {
                Thread.SpinWait(20_000);
                Assert.True(frontEnd.Transmit.TrySend([.. new byte[VirtioNetHeader.Length], .. Frame()]));
                ushort sent = frontEnd.Transmit.AvailableIndex;
                Blocking.Until(() => frontEnd.Transmit.UsedIndex == sent, "The ring is not polled.");
                _ = frontEnd.Reclaim();
            }
        }
    }

    [Fact]
    public void A_sleeping_device_carries_out_commands_and_serves_new_ports()
    {
        using DeviceUnderTest device = Device(out FrontEnd frontEnd);
        using (frontEnd)
        {
            for (int round = 0; round < 20; round++)
            {
                UntilAsleep(frontEnd);
                device.Configure(1);
                using (FrontEnd other = device.Connect(1))
                {
                    other.Start();
                    byte[] frame = Frames.Udp(Mac(0), Mac(1), Address(1), Address(0));
                    UntilAsleep(other);
                    other.SendFrame(frame);
                    Assert.Equal(frame, frontEnd.ReceiveFrame());
                }

                _ = Assert.IsType<Contract.Device.DeviceDoneReply>(device.Ask(id => new Contract.Device.ClearPortRequest { Id = id, Port = 1 }));
                SendAndWait(frontEnd);
            }
        }
    }

    [Fact]
    public void A_frame_that_waits_long_for_tokens_lets_the_device_sleep_and_still_passes()
    {
        using DeviceUnderTest device = Device(out FrontEnd frontEnd);
        using (frontEnd)
        {
            // A full bucket passes the first frame; the second needs 200 ms of tokens, the third as long again.
            device.Configure(0, request => request with { Rate = new RateSpecifier(1514 * 8 * 5, 0) });
            byte[] data = [.. new byte[VirtioNetHeader.Length], .. Frames.Udp(Mac(9), Mac(0), Address(0), Address(9), payload: 1472)];
            for (int i = 0; i < 3; i++)
            {
                Assert.True(frontEnd.Transmit.TrySend(data));
            }

            frontEnd.Ring();
            Blocking.Until(() => frontEnd.Transmit.UsedIndex == 1, "The burst did not pass.");
            Blocking.Until(() => PollerState() == 'S' || frontEnd.Transmit.UsedIndex == 3, "The device does not sleep.");
            Blocking.Until(() => frontEnd.Transmit.UsedIndex == 3, "The frames did not pass.");
            UntilAsleep(frontEnd);
        }
    }

    [Fact]
    public void The_driver_is_woken_whenever_it_sleeps()
    {
        using DeviceUnderTest device = Device(out FrontEnd frontEnd);
        using (frontEnd)
        {
            device.Configure(1);
            using FrontEnd peer = device.Connect(1);
            peer.Start();
            byte[] frame = Frames.Udp(Mac(0), Mac(1), Address(1), Address(0));
            for (int i = 0; i < 500; i++)
            {
                // As a driver does before it sleeps (virtio 1.2 §2.7.13.3): asks for events, and looks once more.
                frontEnd.Receive.AvailableFlags = 0;
                Interlocked.MemoryBarrier();
                peer.SendFrame(frame);
                Assert.True(frontEnd.Call.Wait(30_000));
                frontEnd.Receive.AvailableFlags = SplitFormat.AvailableNoInterrupt;
                Assert.Equal(frame, frontEnd.ReceiveFrame());
            }
        }
    }

    private static DeviceUnderTest Device(out FrontEnd frontEnd, IdlePolicy idle = IdlePolicy.Adaptive)
    {
        var device = new DeviceUnderTest(idle: idle);
        device.Configure(0);
        frontEnd = device.Connect(0);
        frontEnd.Start();
        return device;
    }

    private static byte[] Frame() => Frames.Udp(Mac(9), Mac(0), Address(0), Address(9));

    private static void SendAndWait(FrontEnd frontEnd)
    {
        frontEnd.SendFrame(Frame());
        ushort sent = frontEnd.Transmit.AvailableIndex;
        Blocking.Until(() => frontEnd.Transmit.UsedIndex == sent, "A doorbell was lost.");
        _ = frontEnd.Reclaim();
    }

    // Without the pauses of a wait that sleeps: the next frame is to come while the device is still about to fall asleep.
    private static void SpinUntilTaken(FrontEnd frontEnd)
    {
        ushort sent = frontEnd.Transmit.AvailableIndex;
        long start = Environment.TickCount64;
        while (frontEnd.Transmit.UsedIndex != sent)
        {
            Thread.SpinWait(10);
            Assert.True(Environment.TickCount64 - start < 30_000, "A doorbell was lost.");
        }
    }

    private static void UntilAsleep(FrontEnd frontEnd) =>
        Blocking.Until(() => frontEnd.Transmit.UsedFlags == 0 && PollerState() == 'S', "The device does not sleep.");

    // State of the one thread of this process that is named poller (proc(5), /proc/pid/task/tid/stat).
    private static char PollerState()
    {
        foreach (string task in Directory.GetDirectories("/proc/self/task"))
        {
            string[] stat = File.ReadAllText(Path.Combine(task, "stat")).Split(' ');
            if (stat[1] == "(poller)")
            {
                return stat[2][0];
            }
        }

        throw new InvalidOperationException("There is no polling thread.");
    }
}
