namespace Arrakis.DataPlane.Tests.Storage;

/// <summary>
/// A log used at random beside a list that says what it may hold: which records were appended, how many of them were acknowledged, and how
/// far it was trimmed. The power may be cut after any request of the device.
/// </summary>
internal sealed class LogWorkload
{
    private readonly Random _random;
    private readonly List<Entry> _entries = []; // All that were appended and may be in the log, in order.
    private int _trimmed; // Of these are certainly gone.
    private int _trimming; // And these may be.
    private uint _number;

    public LogWorkload(int seed)
    {
        _random = new Random(seed);
        int blockSize = _random.Next(3) == 0 ? 1024 : 512;
        int bufferBlocks = _random.Next(1, 5);
        Options = new LogOptions { MaxWritesInFlight = _random.Next(1, 4) };
        byte[] medium = new byte[blockSize * _random.Next(12, 48)];
        _random.NextBytes(medium); // Somebody else's.
        Area = new SimulatedArea(medium, blockSize, Options.MaxWritesInFlight + 4, bufferBlocks, _random);
    }

    public SimulatedArea Area { get; private set; }

    public LogOptions Options { get; }

    public PersistentLog Log { get; private set; } = null!;

    /// <summary>Power cuts so far.</summary>
    public int Cuts { get; private set; }

    public void Create() => Log = Area.Run(PersistentLog.CreateAsync(Area, Options));

    /// <summary>Appends and trims until the device has done so many requests; what is under way then stays so.</summary>
    public void RunUntil(int requests)
    {
        int until = Area.Done + requests;
        while (Area.Done < until)
        {
            int choice = _random.Next(10);
            if (choice < 5)
            {
                Append();
            }
            else if (choice == 5)
            {
                Trim();
            }
            else if (Area.Pending > 0)
            {
                Area.Step();
            }
        }
    }

    /// <summary>Has the device do all requests.</summary>
    public void Settle()
    {
        while (Area.Pending > 0)
        {
            Area.Step();
        }

        Assert.All(_entries, static entry => Assert.True(entry.Append.IsCompletedSuccessfully));
        Assert.Equal(_trimming, _trimmed);
    }

    /// <summary>Closes and opens the log.</summary>
    public void Reopen()
    {
        Area.Run(Log.DisposeAsync());
        Assert.Equal(Area.Buffers.Count, Area.Buffers.FreeCount);
        Log = Area.Run(PersistentLog.OpenAsync(Area, Options));
        Assert.True(Log.Recovery.WasClosed);
        Assert.Null(Log.Recovery.RepairedHeader);
    }

    /// <summary>Cuts the power, and opens the log; so many times it is cut again before it has been opened.</summary>
    public void CutAndRecover(int again)
    {
        Area = Area.After(Area.Cut());
        Cuts++;
        while (again-- > 0)
        {
            Task<PersistentLog> open = PersistentLog.OpenAsync(Area, Options).AsTask();
            for (int steps = _random.Next(30); steps > 0 && !open.IsCompleted; steps--)
            {
                Area.Step();
            }

            if (open.IsFaulted)
            {
                open.GetAwaiter().GetResult();
            }

            Area = Area.After(Area.Cut());
            Cuts++;
        }

        Log = Area.Run(PersistentLog.OpenAsync(Area, Options));
        Assert.Null(Log.Recovery.RepairedHeader);
        Check();
    }

    /// <summary>Reads the log and compares: all that were acknowledged, none else than those appended, in their order.</summary>
    public void Check()
    {
        List<LogRecord> found = ReadAll(Area, Log);
        Assert.Equal(found.Count, Log.Recovery.Records);
        int acknowledged = _entries.Count(static entry => entry.Append.IsCompletedSuccessfully);
        Assert.All(_entries.Take(acknowledged), static entry => Assert.True(entry.Append.IsCompletedSuccessfully)); // In order.

        // The first found is the first that a trim left, whichever of the trims came to be.
        int first = found.Count == 0 ? Math.Max(_trimmed, Math.Min(acknowledged, _trimming)) : NumberOf(found[0]);
        Assert.InRange(first, _trimmed, Math.Max(_trimming, _trimmed));
        Assert.InRange(first + found.Count, acknowledged, _entries.Count);
        for (int i = 0; i < found.Count; i++)
        {
            Entry entry = _entries[first + i];
            Assert.Equal(entry.Bytes, found[i].Data.ToArray());
            if (entry.Append.IsCompletedSuccessfully)
            {
                Assert.Equal(entry.Append.Result, found[i].Position);
            }
        }

        // What is in the log now is all that there is, and stays.
        List<Entry> left = [.. _entries.Skip(first).Take(found.Count).Select((entry, i) => entry with { Append = Task.FromResult(found[i].Position) })];
        _entries.Clear();
        _entries.AddRange(left);
        _trimmed = 0;
        _trimming = 0;
    }

    public static List<LogRecord> ReadAll(SimulatedArea area, PersistentLog log)
    {
        List<LogRecord> found = [];
        area.Run(Read());
        return found;

        async ValueTask Read()
        {
            await foreach (LogRecord record in log.ReadAsync())
            {
                found.Add(record with { Data = record.Data.ToArray() });
            }
        }
    }

    private int NumberOf(LogRecord record) => _entries.FindIndex(entry => entry.Bytes.AsSpan().SequenceEqual(record.Data.Span) && (!entry.Append.IsCompletedSuccessfully || entry.Append.Result == record.Position));

    private void Append()
    {
        byte[] bytes = new byte[_random.Next(4) switch { 0 => _random.Next(0, 8), 1 => _random.Next(Area.BlockSize * 4), _ => _random.Next(Area.BlockSize) }];
        _random.NextBytes(bytes);
        if (bytes.Length >= sizeof(uint))
        {
            BitConverter.TryWriteBytes(bytes, _number++);
        }

        if (bytes.Length > Log.MaxRecordLength)
        {
            _ = Assert.Throws<ArgumentOutOfRangeException>(() => { _ = Log.AppendAsync(bytes); });
            return;
        }

        if (!Log.HasRoomFor(bytes.Length))
        {
            _ = Assert.Throws<LogFullException>(() => { _ = Log.AppendAsync(bytes); });
            Trim();
            if (Area.Pending > 0)
            {
                Area.Step();
            }

            return;
        }

        _entries.Add(new Entry(bytes, Log.AppendAsync(bytes).AsTask()));
    }

    private void Trim()
    {
        int acknowledged = _entries.Count(static entry => entry.Append.IsCompletedSuccessfully);
        if (acknowledged == 0)
        {
            return;
        }

        int count = _random.Next(_trimmed, acknowledged + 1);
        LogPosition position = count < acknowledged ? _entries[count].Append.Result : Log.End;
        if (position <= Log.Head)
        {
            return;
        }

        if (count == acknowledged && _entries.Count > acknowledged)
        {
            return; // Appends under way may be durable and not acknowledged yet; which they are is theirs to say.
        }

        _trimming = Math.Max(_trimming, count);
        _ = Note(Log.TrimAsync(position), count);
    }

    private async Task Note(ValueTask trim, int count)
    {
        await trim;
        _trimmed = Math.Max(_trimmed, count);
    }

    private sealed record Entry(byte[] Bytes, Task<LogPosition> Append);
}
