using Arrakis.Contract.Control;
using Arrakis.SoftDevice.Ports.Vf;
using Arrakis.SoftDevice.Tests.Support;
using static Arrakis.SoftDevice.Tests.Support.SwitchUnderTest;

namespace Arrakis.SoftDevice.Tests.Switch;

public sealed class FairnessTests
{
    private readonly Dictionary<int, int> _received = []; // by length, which tells the sender

    [Fact]
    public void Floods_to_one_receiver_share_its_buffers()
    {
        const int Senders = 5;
        using var device = new SwitchUnderTest(Senders + 2, offersBuffers: false);
        device.ConfigureAll();

        // Fewer buffers a round than one sender alone would fill; a port between them that sends nothing.
        for (int round = 0; round < 1000; round++)
        {
            while (device.Receive(0).FreeDescriptors > RingSize - 16)
            {
                Assert.True(device.Receive(0).TryOffer());
            }

            for (int sender = 1; sender <= Senders; sender++)
            {
                int function = sender < 3 ? sender : sender + 1;
                device.Reclaim(function);
                while (device.Transmit(function).FreeDescriptors != 0)
                {
                    device.Post(function, Frames.Udp(Mac(0), Mac(function), Address(function), Address(0), payload: function * 10));
                }
            }

            Assert.True(device.Core.PollOnce());
            foreach (byte[] frame in TakeAll(device))
            {
                Count(frame);
            }
        }

        Assert.Equal(1000 * 16, _received.Values.Sum());
        Assert.All(_received.Values, count => Assert.InRange(count, 1000 * 16 / Senders - 20, 1000 * 16 / Senders + 20));
        Assert.Equal(Senders, _received.Count);
    }

    [Fact]
    public void A_round_takes_a_batch_from_a_port_however_much_it_has()
    {
        using var device = new SwitchUnderTest();
        device.ConfigureAll();
        for (int i = 0; i < RingSize; i++)
        {
            device.Post(0, Frames.Udp(Mac(1), Mac(0), Address(0), Address(1)));
        }

        device.Post(2, Frames.Udp(Mac(1), Mac(2), Address(2), Address(1)));
        Assert.True(device.Core.PollOnce());
        Assert.Equal(VfPort.BatchLength, device.Statistics("vf0").Read().FramesIn);
        Assert.Equal(1, device.Statistics("vf2").Read().FramesIn);
    }

    [Fact]
    public void The_tester_takes_its_turn_like_a_port()
    {
        using var device = new SwitchUnderTest();
        device.ConfigureAll();
        device.Core.Tester.Start(new TestPlan
        {
            TargetMac = Mac(0),
            Target = Address(0),
            TargetPort = 7,
            Source = new(0x0A07_00C8),
            InFlight = 4096,
            WarmupMilliseconds = 0,
            DurationMilliseconds = 1000,
            LossTimeoutMilliseconds = 1000,
        });
        Assert.True(device.Core.PollOnce());
        Assert.Equal(VfPort.BatchLength, device.Statistics("tester").Read().FramesIn);
        Assert.Equal(VfPort.BatchLength, device.Receive(0).UsedIndex);
    }

    private void Count(byte[] frame) => _received[frame.Length] = _received.GetValueOrDefault(frame.Length) + 1;

    private static List<byte[]> TakeAll(SwitchUnderTest device)
    {
        List<byte[]> frames = [];
        while (device.Receive(0).TryTake(out byte[] data))
        {
            frames.Add(data);
        }

        return frames;
    }
}
