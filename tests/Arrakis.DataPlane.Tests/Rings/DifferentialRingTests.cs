using Arrakis.DataPlane.Tests.Rings.Engine;

namespace Arrakis.DataPlane.Tests.Rings;

/// <summary>
/// Both engines with each set of features against queues of byte arrays, at every ring size, while the device does all that
/// the specification allows it: holds buffers, gives them back in any order, many at once or by the last of a batch.
/// </summary>
public sealed class DifferentialRingTests
{
    private const int StepsEach = 2_300; // Of each size and set of features: more than a million in all.

    public static TheoryData<int> Sizes => [.. Enumerable.Range(1, 15).Select(static bits => 1 << bits)];

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Rings_do_what_the_model_does(int size)
    {
        Assert.True(StepsEach * 15 * RingFeatures.All.Count() > 1_000_000);
        foreach (RingFeatures features in RingFeatures.All)
        {
            try
            {
                Run(features, size);
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                throw new InvalidOperationException($"{features}, {size} descriptors: {e.Message}", e);
            }
        }
    }

    private static void Run(RingFeatures features, int size)
    {
        var random = new Random(HashCode(features, size));
        using var bed = new RingBed(features, size, spareBuffers: size + 24);
        TransmitModel? transmit = null;
        var receive = new ReceiveModel(bed, random, () => transmit!.BuffersUnderWay);
        transmit = new TransmitModel(bed, random, receive);

        // Until the steps are done and the ring has wrapped; the largest so far that the 16-bit indices have, too.
        int turns = size == 32768 ? 2 * size + 2 : size + size / 2 + 2;
        for (int step = 0; step < StepsEach || receive.DescriptorsUsed < turns || transmit.DescriptorsUsed < turns; step++)
        {
            Assert.True(step < 100 * StepsEach, $"no progress: {receive.DescriptorsUsed} received, {transmit.DescriptorsUsed} sent");
            int amount = random.Next(24) == 0 ? 1 + random.Next(size) : 1 + random.Next(6);
            switch (random.Next(10))
            {
                case 0 or 1:
                    receive.Deliver(amount);
                    break;
                case 2:
                    receive.Publish();
                    break;
                case 3 or 4:
                    receive.Receive();
                    break;
                case 5:
                    transmit.Post(amount);
                    break;
                case 6:
                    transmit.Flush();
                    break;
                case 7:
                    transmit.DeviceTakes(amount);
                    transmit.DeviceUses(amount);
                    break;
                case 8:
                    transmit.Publish();
                    transmit.Reclaim();
                    break;
                default:
                    Sleep(random.Next(4), receive, transmit);
                    break;
            }

            receive.CheckPool();
        }

        receive.Drain();
        transmit.Drain();
        receive.CheckPool();
    }

    private static void Sleep(int which, ReceiveModel receive, TransmitModel transmit)
    {
        switch (which)
        {
            case 0:
                receive.DriverSleeps();
                break;
            case 1:
                transmit.DriverSleeps();
                break;
            case 2:
                receive.DeviceSleeps();
                break;
            default:
                transmit.DeviceSleeps();
                break;
        }
    }

    // The same in each run, unlike System.HashCode.
    private static int HashCode(RingFeatures features, int size) => (int)((ulong)features.Negotiated % 1_000_003) * 31 + size;
}
