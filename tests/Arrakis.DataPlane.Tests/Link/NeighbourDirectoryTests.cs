using Arrakis.DataPlane.Link;
using Arrakis.Wire;

namespace Arrakis.DataPlane.Tests.Link;

/// <summary>What several pollers share of neighbours: one writer at a time, readers that wait for nobody.</summary>
public sealed class NeighbourDirectoryTests
{
    private const long Second = 1_000_000_000;
    private const int Writers = 2;
    private const int Readers = 2;
    private const int Rounds = 40_000;

    private int _news;

    [Fact]
    public void What_is_published_is_read_and_is_news_once()
    {
        NeighbourDirectory directory = Make();
        Ipv4Address address = Address(9);
        directory.Publish(address, Mac(1), 60 * Second, 0);
        Assert.True(directory.TryRead(address, out SharedNeighbour entry));
        Assert.Equal((address, Mac(1), 60 * Second), (entry.Address, entry.Mac, entry.Expires));
        long version = directory.Version;

        // A neighbour that repeats itself within a second costs the others nothing; a moved or a prolonged one is news.
        directory.Publish(address, Mac(1), 60 * Second + Second / 2, 0);
        Assert.Equal((version, 1), (directory.Version, _news));
        directory.Publish(address, Mac(1), 62 * Second, 0);
        directory.Publish(address, Mac(2), 62 * Second, 0);
        Assert.Equal(3, _news);
        Assert.NotEqual(version, directory.Version);
        Assert.True(directory.TryRead(Address(10), out SharedNeighbour none));
        Assert.Equal(Ipv4Address.Any, none.Address);
    }

    [Fact]
    public void All_queues_together_ask_once_a_second()
    {
        NeighbourDirectory directory = Make();
        int asked = 0;
        long last = long.MinValue;
        for (long now = 0; now < 10 * Second; now += Second / 50)
        {
            for (int queue = 0; queue < 4; queue++)
            {
                if (directory.TryBeginRequest(Address(9), now, out long next))
                {
                    Assert.True(last == long.MinValue || now - last >= Second);
                    last = now;
                    asked++;
                }

                Assert.InRange(next, now + 1, now + Second);
            }
        }

        Assert.Equal(10, asked);
    }

    [Fact]
    public void An_answer_that_is_waited_for_is_not_driven_out_by_those_who_make_themselves_known()
    {
        NeighbourDirectory directory = Make();
        Assert.True(directory.TryBeginRequest(Address(9), 0, out _));
        for (uint host = 1; host < 60_000; host++)
        {
            directory.Publish(new Ipv4Address(0x0A080000 + host), Mac(host), 60 * Second, Second / 2);
        }

        Assert.True(directory.TryRead(Address(9), out SharedNeighbour entry));
        Assert.Equal((Address(9), true), (entry.Address, entry.IsAsked));
        directory.Publish(Address(9), Mac(9), 61 * Second, Second);
        Assert.True(directory.TryRead(Address(9), out entry));
        Assert.Equal((Mac(9), false), (entry.Mac, entry.IsAsked));
    }

    [Fact]
    public void Readers_never_see_parts_of_two_writes_and_miss_no_news()
    {
        NeighbourDirectory directory = Make();
        int writing = Writers;
        var last = new long[Writers];
        Thread[] writers = [.. Enumerable.Range(0, Writers).Select(writer => new Thread(() =>
        {
            for (int round = 1; round <= Rounds; round++)
            {
                // Each word of an entry is told by one number: a torn entry has two.
                var number = (uint)(round * Writers + writer);
                directory.Publish(Address(9), Mac(number), number * 2 * Second, 0);
                _ = directory.TryBeginRequest(Address(1000 + number % 200), round * Second, out _);
                last[writer] = number;
            }

            _ = Interlocked.Decrement(ref writing);
        }))];
        var faults = new System.Collections.Concurrent.ConcurrentQueue<string>();
        var seen = new SharedNeighbour[Readers];
        Thread[] readers = [.. Enumerable.Range(0, Readers).Select(reader => new Thread(() =>
        {
            long version = 0;
            while (true)
            {
                bool over = Volatile.Read(ref writing) == 0;
                long now = directory.Version;
                if (now == version)
                {
                    if (over)
                    {
                        return;
                    }

                    Thread.SpinWait(10);
                    continue;
                }

                if (directory.TryRead(Address(9), out SharedNeighbour entry))
                {
                    version = now;
                    seen[reader] = entry;
                    if (entry.Address != Address(9) || entry.Expires != (long)(entry.Mac.Value & 0xFFFFFF) * 2 * Second)
                    {
                        faults.Enqueue($"{entry.Address} {entry.Mac} {entry.Expires}");
                    }
                }
            }
        }))];
        foreach (Thread thread in (Thread[])[.. readers, .. writers])
        {
            thread.Start();
        }

        foreach (Thread thread in (Thread[])[.. writers, .. readers])
        {
            Assert.True(thread.Join(TimeSpan.FromSeconds(60)));
        }

        Assert.Empty(faults);

        // Nothing was written after what a reader took last, so it has the last of all.
        Assert.True(directory.TryRead(Address(9), out SharedNeighbour end));
        Assert.Contains((long)(end.Mac.Value & 0xFFFFFF), last);
        Assert.All(seen, entry => Assert.Equal(end.Mac, entry.Mac));
    }

    private static Ipv4Address Address(uint host) => new(0x0A070000 + host);

    private static MacAddress Mac(uint number) => new(0x0200_0000_0000UL | number);

    private NeighbourDirectory Make() => new(() => Interlocked.Increment(ref _news));
}
