namespace Arrakis.DataPlane.Tests.Storage;

/// <summary>A device that loses writes, writes elsewhere, or gives back other bits: what it did is reported with the address, and nothing of it is taken for data.</summary>
public sealed class DeviceFaultTests
{
    private const int BlockSize = 512;
    private const int Blocks = 40;
    private const int Records = 60;

    [Fact]
    public void A_lost_write_is_reported_with_its_address()
    {
        int reported = 0;
        for (int lost = 0; lost < 90; lost++)
        {
            reported += Simulation.Run($"lost write {lost}", () =>
            {
                long address = -1;
                Bed bed = Bed.Run(new Random(lost), (number, block) =>
                {
                    if (number != lost)
                    {
                        return block;
                    }

                    address = block;
                    return null;
                });
                return bed.CheckReported(address < 0 ? [] : [.. Enumerable.Range(0, 3).Select(i => address + i)]);
            });
        }

        Assert.InRange(reported, 15, 60); // The others were trimmed by then, or copies of the header.
    }

    [Fact]
    public void A_write_that_went_elsewhere_is_reported_with_one_of_the_addresses()
    {
        int reported = 0;
        for (int seed = 0; seed < 400; seed++)
        {
            reported += Simulation.Run($"seed {seed}", () =>
            {
                var random = new Random(seed);
                int which = random.Next(90);
                long place = random.Next(Blocks - 2);
                long address = -1;
                Bed bed = Bed.Run(random, (number, block) =>
                {
                    if (number != which)
                    {
                        return block;
                    }

                    address = block;
                    return place;
                });
                return bed.CheckReported([.. Enumerable.Range(0, 3).SelectMany(i => new[] { address + i, place + i })]);
            });
        }

        Assert.InRange(reported, 100, 400);
    }

    [Fact]
    public void Any_flipped_bit_is_reported_or_does_no_harm()
    {
        int reported = 0;
        for (int seed = 0; seed < 1_000; seed++)
        {
            reported += Simulation.Run($"seed {seed}", () =>
            {
                var random = new Random(seed);
                Bed bed = Bed.Run(random, static (_, block) => block);
                int bit = random.Next(Blocks * BlockSize * 8);
                bed.Medium[bit / 8] ^= (byte)(1 << (bit % 8));
                return bed.CheckReported([bit / 8 / BlockSize]);
            });
        }

        Assert.InRange(reported, 200, 1_000);
    }

    [Fact]
    public void A_flipped_bit_in_a_record_s_bytes_is_never_read_as_data()
    {
        for (int block = 1; block < 6; block++)
        {
            _ = Simulation.Run($"block {block}", () =>
            {
                byte[] medium = new byte[Blocks * BlockSize];
                var area = new SimulatedArea(medium, BlockSize, 8, 1, new Random(1));
                PersistentLog log = area.Run(PersistentLog.CreateAsync(area));
                for (int i = 0; i < 8; i++)
                {
                    _ = area.Run(log.AppendAsync(Enumerable.Repeat((byte)i, 300).ToArray()));
                }

                medium[block * BlockSize + 100] ^= 1;
                List<byte> read = [];
                DataCorruptException fault = Assert.Throws<DataCorruptException>(() => area.Run(Read(log, read)));
                Assert.Equal(block, fault.Block);
                Assert.Equal(Enumerable.Range(0, block - 1).Select(static i => (byte)i), read);

                area.Run(log.DisposeAsync());
                fault = Assert.Throws<DataCorruptException>(() => area.Run(PersistentLog.OpenAsync(area)));
                Assert.Equal((block, "its checksum does not match"), (fault.Block, fault.Reason));
                return 0;
            });
        }

        static async ValueTask Read(PersistentLog log, List<byte> read)
        {
            await foreach (LogRecord record in log.ReadAsync())
            {
                Assert.Single(record.Data.ToArray().Distinct());
                read.Add(record.Data.Span[0]);
            }
        }
    }

    [Fact]
    public void One_copy_of_the_header_is_enough_and_both_are_written_again()
    {
        foreach (int damaged in (int[])[0, Blocks - 1])
        {
            _ = Simulation.Run($"copy {damaged}", () =>
            {
                Bed bed = Bed.Run(new Random(3), static (_, block) => block);
                bed.Medium.AsSpan(damaged * BlockSize, 64).Fill(0xA5);

                PersistentLog log = bed.Area.Run(PersistentLog.OpenAsync(bed.Area));
                Assert.Equal(damaged, log.Recovery.RepairedHeader);
                bed.CheckContent(log);
                bed.Area.Run(log.DisposeAsync());
                log = bed.Area.Run(PersistentLog.OpenAsync(bed.Area));
                Assert.Null(log.Recovery.RepairedHeader);
                return 0;
            });
        }
    }

    [Fact]
    public void Without_a_whole_header_nothing_is_opened_and_nothing_made()
    {
        _ = Simulation.Run("both", () =>
        {
            Bed bed = Bed.Run(new Random(3), static (_, block) => block);
            bed.Medium[8] ^= 1;
            bed.Medium[(Blocks - 1) * BlockSize + 8] ^= 1;
            byte[] before = [.. bed.Medium];

            Assert.Equal(0, Assert.Throws<DataCorruptException>(() => bed.Area.Run(PersistentLog.OpenOrCreateAsync(bed.Area))).Block);
            Assert.Equal(before, bed.Medium);
            return 0;
        });
    }

    /// <summary>A log that was used for a while, and closed.</summary>
    private sealed class Bed
    {
        private readonly List<byte[]> _left = [];

        public byte[] Medium { get; } = new byte[Blocks * BlockSize];

        public SimulatedArea Area { get; private set; } = null!;

        public static Bed Run(Random random, Func<int, long, long?> where)
        {
            var bed = new Bed();
            bed.Area = new SimulatedArea(bed.Medium, BlockSize, 8, 3, random) { Where = (number, block) => where(number, block) };
            PersistentLog log = bed.Area.Run(PersistentLog.CreateAsync(bed.Area));
            List<LogPosition> positions = [];
            for (int i = 0; i < Records; i++)
            {
                byte[] record = new byte[random.Next(1, 900)];
                random.NextBytes(record);
                if (!log.HasRoomFor(record.Length))
                {
                    bed.Area.Run(log.TrimAsync(positions[positions.Count / 2]));
                    bed._left.RemoveRange(0, positions.Count / 2);
                    positions.RemoveRange(0, positions.Count / 2);
                }

                positions.Add(bed.Area.Run(log.AppendAsync(record)));
                bed._left.Add(record);
            }

            bed.Area.Run(log.DisposeAsync());
            return bed;
        }

        /// <summary>Either all is there, or what is wrong is reported with one of these addresses. Returns 1 where it was reported.</summary>
        public int CheckReported(long[] addresses)
        {
            try
            {
                CheckContent(Area.Run(PersistentLog.OpenAsync(Area)));
                return 0;
            }
            catch (DataCorruptException e)
            {
                Assert.Contains(e.Block, addresses);
                return 1;
            }
        }

        public void CheckContent(PersistentLog log)
        {
            Assert.Equal(_left, LogWorkload.ReadAll(Area, log).Select(static record => record.Data.ToArray()));
            Assert.True(log.Recovery.WasClosed);
        }
    }
}
