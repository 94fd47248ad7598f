using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Rings;
using Arrakis.Wire.Virtio;

namespace Arrakis.DataPlane.Tests.Rings.Engine;

/// <summary>Calls the rings in any order, and looks who owns which buffer.</summary>
internal sealed class CarefulDriver(RingBed bed, Random random)
{
    private readonly List<PacketBuffer> _held = [];
    private readonly ReceivedFrame[] _batch = new ReceivedFrame[64];

    /// <summary>The ring that was called last.</summary>
    public QueueDirection At { get; private set; }

    /// <summary>One call.</summary>
    public void Step()
    {
        int what = random.Next(9);
        At = what < 5 ? QueueDirection.Receive : QueueDirection.Transmit;
        switch (what)
        {
            case 0 or 1 or 2:
                Receive();
                break;
            case 3:
                _ = bed.Receive.TryArmEvents();
                break;
            case 4:
                bed.Receive.DisarmEvents();
                break;
            case 5:
                Post();
                break;
            case 6:
                bed.Transmit.Flush();
                break;
            case 7:
                _ = bed.Transmit.Reclaim();
                Assert.InRange(bed.Transmit.FreeCount, 0, bed.Size);
                break;
            default:
                if (bed.Transmit.TryArmEvents())
                {
                    bed.Transmit.DisarmEvents();
                }

                break;
        }
    }

    /// <summary>Takes all that is free: no buffer comes twice, and none that somebody has.</summary>
    public void CheckOwners()
    {
        Assert.True(bed.Pool.FreeCount + _held.Count + bed.Size <= bed.Pool.Count, "a buffer was made of nothing");
        HashSet<int> owned = [.. _held.Select(static buffer => buffer.Index)];
        Assert.Equal(_held.Count, owned.Count);
        while (bed.Pool.TryRent(out PacketBuffer buffer))
        {
            Assert.True(owned.Add(buffer.Index), "a buffer has two owners");
        }
    }

    private void Receive()
    {
        int room = random.Next(1, _batch.Length + 1);
        int count = bed.Receive.Receive(_batch.AsSpan(0, room));
        Assert.InRange(count, 0, Math.Min(room, bed.Size));
        for (int i = 0; i < count; i++)
        {
            ref ReceivedFrame frame = ref _batch[i];
            int index = frame.Buffer.Index;
            Assert.DoesNotContain(_held, held => held.Index == index);
            for (int j = 0; j < i; j++)
            {
                Assert.NotEqual(index, _batch[j].Buffer.Index);
            }

            Assert.InRange(frame.Length, 0, RingBed.ReceiveCapacity - (frame.IsFollowing ? 0 : VirtioNetHeader.Length));
            _ = bed.Pool.Bytes(frame.Buffer, frame.IsFollowing ? BufferLayout.HeaderOffset : BufferLayout.FrameOffset, frame.Length);
        }

        for (int i = 0; i < count; i++)
        {
            if (random.Next(4) == 0 && bed.Receive.TryTake(ref _batch[i]))
            {
                _held.Add(_batch[i].Buffer);
            }
        }

        bed.Receive.Release(_batch.AsSpan(0, count));
        while (_held.Count > 8 || (_held.Count > 0 && random.Next(2) == 0))
        {
            bed.Pool.Return(_held[^1]);
            _held.RemoveAt(_held.Count - 1);
        }
    }

    private void Post()
    {
        List<TransmitSegment> segments = [];
        int count = random.Next(1, Math.Min(4, bed.Size) + 1);
        while (segments.Count < count && bed.Pool.TryRent(out PacketBuffer buffer))
        {
            segments.Add(new TransmitSegment(buffer, BufferLayout.FrameOffset, random.Next(1, 100)));
        }

        if (segments.Count == 0)
        {
            return;
        }

        bool posted = segments.Count == 1 && random.Next(2) == 0
            ? bed.Transmit.TryPost(segments[0].Buffer, 0, segments[0].Length)
            : bed.Transmit.TryPost([.. segments], random.Next(2) == 0 ? new TransmitOffload(34, 6) : null);
        if (!posted)
        {
            segments.ForEach(segment => bed.Pool.Return(segment.Buffer));
        }
    }
}
