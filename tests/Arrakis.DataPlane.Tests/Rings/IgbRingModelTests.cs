using Arrakis.DataPlane.Rings;
using Arrakis.DataPlane.Tests.Device;
using Arrakis.Wire.Virtio;
using CsCheck;

namespace Arrakis.DataPlane.Tests.Rings;

/// <summary>The rings of an 82576 function and the pool against lists that say what must be where, under any sequence of steps of both sides.</summary>
public sealed class IgbRingModelTests
{
    private enum Step
    {
        Deliver,
        DeliverLong,
        Receive,
        ReturnTaken,
        Post,
        PostTaken,
        Flush,
        DeviceSends,
        Reclaim,
        Sleep,
    }

    private static readonly Gen<(Step Step, int Argument)> s_step =
        Gen.Select(Gen.Int[0, 9], Gen.Int[0, 63]).Select(static (step, argument) => ((Step)step, argument));

    [Theory]
    [InlineData(8, 12, VirtioFeatures.None)]
    [InlineData(8, 40, VirtioFeatures.NetChecksum)]
    [InlineData(32, 128, VirtioFeatures.None)]
    public void Frames_arrive_in_order_and_no_buffer_is_lost_or_doubled(int queueSize, int buffers, VirtioFeatures features) =>
        s_step.Array[0, 400].Sample(steps => Run(queueSize, buffers, features, steps), seed: Seeds.Fixed, iter: 60, threads: 1);

    [Theory]
    [InlineData(8)]
    [InlineData(64)]
    public void Whatever_the_device_writes_back_gives_frames_inside_their_buffers_a_drop_or_a_corrupt_ring(int queueSize) =>
        Gen.Select(Gen.OneOf(Status(), Gen.ULong), Gen.Int[1, 64]).Array[1, 200].Sample(
            steps =>
            {
                using var rings = new IgbRings(queueSize, queueSize + 8, VirtioFeatures.NetGuestChecksum);
                var batch = new ReceivedFrame[64];
                try
                {
                    foreach ((ulong status, int room) in steps)
                    {
                        rings.Device.WriteBack(status);
                        int count = rings.Receive.Receive(batch.AsSpan(0, room));
                        Assert.InRange(count, 0, queueSize - 1);
                        Assert.Equal(count, batch.Take(count).Select(static frame => frame.Buffer.Index).Distinct().Count());
                        Assert.All(batch.Take(count), frame => Assert.InRange(rings.Bytes(frame).Length, 1, 2048));
                        rings.Receive.Release(batch.AsSpan(0, count));
                        Assert.Equal(8, rings.Pool.FreeCount);
                    }
                }
                catch (RingCorruptException)
                {
                    Assert.Equal(8, rings.Pool.FreeCount);
                }
            },
            seed: Seeds.Fixed,
            iter: 300,
            threads: 1);

    // Done, and a length that may be one.
    private static Gen<ulong> Status() =>
        Gen.Select(Gen.UInt, Gen.UShort[0, 2100]).Select(static (bits, length) => bits | 1 | (ulong)length << 32);

    private static void Run(int queueSize, int buffers, VirtioFeatures features, (Step Step, int Argument)[] steps)
    {
        using var rings = new IgbRings(queueSize, buffers, features);
        int capacity = queueSize - (features == VirtioFeatures.None ? 1 : 2);
        var delivered = new Queue<byte[]?>(); // Null for what is too long.
        var posted = new Queue<byte[]>();
        var onTheWire = new Queue<(byte[] Bytes, bool EndsBatch)>();
        var taken = new List<(ReceivedFrame Frame, byte[] Bytes)>();
        var batch = new ReceivedFrame[queueSize];
        int inTransmitRing = 0;
        int sent = 0;
        int reported = 0;
        byte next = 0;
        foreach ((Step step, int argument) in steps)
        {
            switch (step)
            {
                case Step.Deliver:
                    byte[] frame = [.. Enumerable.Repeat(next++, argument + 1)];
                    if (rings.Device.TryDeliver(frame))
                    {
                        delivered.Enqueue(frame);
                    }

                    break;
                case Step.DeliverLong:
                    if (rings.Device.TryDeliver(new byte[2049 + argument * 40]))
                    {
                        delivered.Enqueue(null);
                    }

                    break;
                case Step.Receive:
                    int count = rings.Receive.Receive(batch.AsSpan(0, argument % queueSize + 1));
                    for (int i = 0; i < count; i++)
                    {
                        byte[]? expected;
                        while ((expected = delivered.Dequeue()) is null)
                        {
                        }

                        Assert.Equal(expected, rings.Bytes(batch[i]));
                        if ((argument + i) % 3 == 0 && rings.Receive.TryTake(ref batch[i]))
                        {
                            taken.Add((batch[i], expected));
                        }
                    }

                    Assert.True(count == argument % queueSize + 1 || delivered.All(static left => left is null));
                    rings.Receive.Release(batch.AsSpan(0, count));
                    break;
                case Step.ReturnTaken when taken.Count > 0:
                    rings.Pool.Return(taken[argument % taken.Count].Frame.Buffer);
                    taken.RemoveAt(argument % taken.Count);
                    break;
                case Step.Post:
                    byte[] own = [.. Enumerable.Repeat(next++, argument + 1)];
                    bool room = inTransmitRing < capacity && rings.Pool.FreeCount > 0;
                    Assert.Equal(room, rings.TryPost(own));
                    if (room)
                    {
                        posted.Enqueue(own);
                        inTransmitRing++;
                    }

                    break;
                case Step.PostTaken when taken.Count > 0 && inTransmitRing < capacity:
                    (ReceivedFrame reply, byte[] bytes) = taken[argument % taken.Count];
                    taken.RemoveAt(argument % taken.Count);
                    Assert.True(rings.Transmit.TryPost(reply.Buffer, 0, reply.Length));
                    posted.Enqueue(bytes);
                    inTransmitRing++;
                    break;
                case Step.Flush:
                    rings.Transmit.Flush();
                    while (posted.TryDequeue(out byte[]? flushed))
                    {
                        onTheWire.Enqueue((flushed, posted.Count == 0));
                    }

                    break;
                case Step.DeviceSends:
                    byte[]? arrived = rings.Device.TryTake();
                    if (onTheWire.TryDequeue(out (byte[] Bytes, bool EndsBatch) wanted))
                    {
                        Assert.Equal(wanted.Bytes, arrived);
                        sent++;
                        reported = wanted.EndsBatch ? sent : reported;
                    }
                    else
                    {
                        Assert.Null(arrived);
                    }

                    break;
                case Step.Reclaim:
                    Assert.Equal(reported, rings.Transmit.Reclaim());
                    inTransmitRing -= reported;
                    sent -= reported;
                    reported = 0;
                    break;
                case Step.Sleep:
                    Assert.Equal(reported == 0, rings.Transmit.TryArmEvents());
                    _ = rings.Receive.TryArmEvents();
                    break;
                default:
                    break;
            }

            Assert.All(taken, t => Assert.Equal(t.Bytes, rings.Bytes(t.Frame)));
            Assert.Equal(buffers - queueSize - taken.Count - inTransmitRing, rings.Pool.FreeCount);
            Assert.Equal(capacity - inTransmitRing, rings.Transmit.FreeCount);
        }
    }
}
