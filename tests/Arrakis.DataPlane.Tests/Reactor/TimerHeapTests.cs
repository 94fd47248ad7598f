using CsCheck;

namespace Arrakis.DataPlane.Tests.Reactors;

public sealed class TimerHeapTests
{
    [Fact]
    public void An_empty_heap_has_nothing_due()
    {
        var heap = new TimerHeap();
        Assert.Equal(long.MaxValue, heap.NextDeadline);
        Assert.Null(heap.TakeDue(long.MaxValue - 1));
        Assert.Null(heap.TakeAny());
    }

    [Fact]
    public void A_delay_is_taken_out_once()
    {
        var heap = new TimerHeap();
        var delay = new DelayOperation(null!) { Deadline = 5 };
        heap.Add(delay);
        Assert.True(heap.Remove(delay));
        Assert.False(heap.Remove(delay));
        Assert.Equal(0, heap.Count);
    }

    [Fact]
    public void Whatever_is_added_and_removed_the_earliest_comes_first() =>
        Gen.Select(Gen.Int[0, 3], Gen.Long[0, 60]).Array[0, 300].Sample(
            static steps =>
            {
                var heap = new TimerHeap();
                var model = new List<DelayOperation>(); // Always sorted by deadline.
                foreach ((int step, long argument) in steps)
                {
                    switch (step)
                    {
                        case 0 or 1:
                            var added = new DelayOperation(null!) { Deadline = argument };
                            heap.Add(added);
                            model.Insert(model.Count(d => d.Deadline <= argument), added);
                            break;
                        case 2 when model.Count > 0:
                            DelayOperation victim = model[(int)argument % model.Count];
                            Assert.True(heap.Remove(victim));
                            model.Remove(victim);
                            break;
                        default:
                            DelayOperation? due = heap.TakeDue(argument);
                            if (model.Count > 0 && model[0].Deadline <= argument)
                            {
                                Assert.Equal(model[0].Deadline, due?.Deadline); // Which of several equal ones is open.
                                Assert.True(model.Remove(due!));
                            }
                            else
                            {
                                Assert.Null(due);
                            }

                            break;
                    }

                    Assert.Equal(model.Count, heap.Count);
                    Assert.Equal(model.Count > 0 ? model[0].Deadline : long.MaxValue, heap.NextDeadline);
                }

                while (heap.TakeAny() is { } rest)
                {
                    Assert.Equal(model[0].Deadline, rest.Deadline);
                    Assert.True(model.Remove(rest));
                }

                Assert.Empty(model);
            },
            seed: Seeds.Fixed,
            iter: 500,
            threads: 1);
}
