using Arrakis.Contract;
using Arrakis.DataPlane.Tests.Rings.Engine;

namespace Arrakis.DataPlane.Tests.Rings;

/// <summary>
/// A device that behaves for a while and then writes rubbish wherever it can: indices, ids, lengths, flags, counts of buffers,
/// event structures. The driver goes on or throws <see cref="RingCorruptException"/>, never touches a byte outside, where there
/// are pages that nobody can access, and never gives a buffer to two owners.
/// </summary>
public sealed class HostileRingTests
{
    private const int Rounds = 150;

    public static TheoryData<int> Features => [.. Enumerable.Range(0, 32)];

    [Theory]
    [MemberData(nameof(Features))]
    public void Rubbish_is_a_corrupt_ring_or_does_no_harm(int which)
    {
        RingFeatures features = RingFeatures.All.ElementAt(which);
        var random = new Random(1000 + which);
        int corrupt = 0;
        for (int round = 0; round < Rounds; round++)
        {
            int size = 1 << random.Next(1, 8);
            using var bed = new RingBed(features, size, spareBuffers: random.Next(2, size + 16));
            corrupt += Run(bed, random) ? 1 : 0;
        }

        Assert.InRange(corrupt, Rounds / 8, Rounds - 1); // Both ends are reached.
    }

    private static bool Run(RingBed bed, Random random)
    {
        Behave(bed, random);
        var device = new HostileDevice(bed, random);
        var driver = new CarefulDriver(bed, random);
        bool corrupt = false;
        int steps = random.Next(1, 200);
        for (int step = 0; step < steps && !corrupt; step++)
        {
            if (random.Next(2) == 0)
            {
                device.Write();
                continue;
            }

            try
            {
                driver.Step();
            }
            catch (RingCorruptException e)
            {
                Assert.Equal(ErrorCode.RingCorrupt, e.Code);
                Assert.NotEmpty(e.Reason);
                Assert.Equal(driver.At, e.Ring);
                corrupt = true;
            }
        }

        driver.CheckOwners();
        return corrupt;
    }

    // Fills and empties the rings a few times, so that indices and wrap counters stand anywhere.
    private static void Behave(RingBed bed, Random random)
    {
        TransmitModel? transmit = null;
        var receive = new ReceiveModel(bed, random, () => transmit!.BuffersUnderWay);
        transmit = new TransmitModel(bed, random, receive);
        int steps = random.Next(60);
        for (int step = 0; step < steps; step++)
        {
            receive.Deliver(1 + random.Next(bed.Size));
            receive.Publish();
            receive.Receive();
            transmit.Post(1 + random.Next(bed.Size));
            transmit.Flush();
            transmit.DeviceTakes(bed.Size);
            transmit.DeviceUses(1 + random.Next(bed.Size));
            transmit.Publish();
            transmit.Reclaim();
        }

        receive.Drain();
        transmit.Drain();
        receive.ReturnTaken();
    }
}
