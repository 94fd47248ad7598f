using Arrakis.DataPlane.Rings;
using Arrakis.DataPlane.Tests.Device;
using CsCheck;

namespace Arrakis.DataPlane.Tests.Rings;

/// <summary>Both rings and the pool against lists that say what must be where, under any sequence of steps of both sides.</summary>
public sealed class RingPairModelTests
{
    private enum Step
    {
        Deliver,
        Receive,
        ReturnTaken,
        PostRented,
        PostTaken,
        Flush,
        DeviceSends,
        Reclaim,
    }

    private static readonly Gen<(Step Step, int Argument)> s_step =
        Gen.Select(Gen.Int[0, 7], Gen.Int[0, 63]).Select(static (step, argument) => ((Step)step, argument));

    [Theory]
    [InlineData(2, 5)]
    [InlineData(8, 12)]
    [InlineData(8, 40)]
    [InlineData(32, 128)]
    public void Frames_arrive_in_order_and_no_buffer_is_lost_or_doubled(int queueSize, int buffers) =>
        s_step.Array[0, 400].Sample(steps => Run(queueSize, buffers, steps), seed: Seeds.Fixed, iter: 60, threads: 1);

    private static void Run(int queueSize, int buffers, (Step Step, int Argument)[] steps)
    {
        using var rings = new TestRings(queueSize, buffers);
        var delivered = new Queue<byte[]>();
        var posted = new Queue<byte[]>();
        var onTheWire = new Queue<byte[]>();
        var taken = new List<(ReceivedFrame Frame, byte[] Bytes)>();
        var batch = new ReceivedFrame[queueSize];
        int inTransmitRing = 0;
        int sent = 0;
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
                case Step.Receive:
                    int count = rings.Receive.Receive(batch.AsSpan(0, argument % queueSize + 1));
                    // The ring looks at the device's index again only when it has handed out all that it saw there.
                    Assert.InRange(count, Math.Min(delivered.Count, 1), Math.Min(delivered.Count, argument % queueSize + 1));
                    for (int i = 0; i < count; i++)
                    {
                        byte[] expected = delivered.Dequeue();
                        Assert.Equal(expected, rings.Bytes(batch[i]));
                        if ((argument + i) % 3 == 0 && rings.Receive.TryTake(ref batch[i]))
                        {
                            taken.Add((batch[i], expected));
                        }
                    }

                    rings.Receive.Release(batch.AsSpan(0, count));
                    break;
                case Step.ReturnTaken when taken.Count > 0:
                    rings.Pool.Return(taken[argument % taken.Count].Frame.Buffer);
                    taken.RemoveAt(argument % taken.Count);
                    break;
                case Step.PostRented:
                    byte[] own = [.. Enumerable.Repeat(next++, argument + 1)];
                    bool room = inTransmitRing < queueSize && rings.Pool.FreeCount > 0;
                    Assert.Equal(room, rings.TryPost(own));
                    if (room)
                    {
                        posted.Enqueue(own);
                        inTransmitRing++;
                    }

                    break;
                case Step.PostTaken when taken.Count > 0 && inTransmitRing < queueSize:
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
                        onTheWire.Enqueue(flushed);
                    }

                    break;
                case Step.DeviceSends:
                    byte[]? arrived = rings.Device.TryTakeSent();
                    if (onTheWire.TryDequeue(out byte[]? wanted))
                    {
                        Assert.Equal(wanted, arrived);
                        sent++;
                    }
                    else
                    {
                        Assert.Null(arrived);
                    }

                    break;
                case Step.Reclaim:
                    Assert.Equal(sent, rings.Transmit.Reclaim());
                    inTransmitRing -= sent;
                    sent = 0;
                    break;
                default:
                    break;
            }

            Assert.All(taken, t => Assert.Equal(t.Bytes, rings.Bytes(t.Frame)));
            Assert.Equal(buffers - queueSize - taken.Count - inTransmitRing, rings.Pool.FreeCount);
            Assert.Equal(queueSize - inTransmitRing, rings.Transmit.FreeCount);
        }
    }
}
