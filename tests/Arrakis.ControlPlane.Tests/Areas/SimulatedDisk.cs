using Arrakis.ControlPlane.Areas;

namespace Arrakis.ControlPlane.Tests.Areas;

/// <summary>The power went: nothing that runs on the machine catches this.</summary>
internal sealed class PowerCutException : Exception;

/// <summary>
/// A disk with one file, whose power is cut at any call. What was written and not flushed is then lost, kept or torn at sectors, in any
/// order; a killed process in contrast leaves all of it in the kernel's cache.
/// </summary>
internal sealed class SimulatedDisk : ICataloguePlace
{
    internal const int SectorLength = 512;

    private SimulatedFile? _published;
    private SimulatedFile? _hidden;
    private Random _random = new(0);
    private int _callsToCut = int.MaxValue;

    public string Path => "simulated";

    /// <summary>Writes and flushes so far.</summary>
    internal int Calls { get; private set; }

    /// <summary>Fails the call that comes then as a disk does; null fails none.</summary>
    internal int? CallsToError { get; set; }

    /// <summary>A disk like this one, whose power stays.</summary>
    internal SimulatedDisk Clone() => new() { _published = _published?.Clone(), _hidden = _hidden?.Clone() };

    /// <summary>Cuts the power in a call, the first after this being number 1.</summary>
    internal void CutAt(int call, Random random)
    {
        _callsToCut = call;
        _random = random;
    }

    /// <summary>The machine comes up again.</summary>
    internal void PowerUp()
    {
        _callsToCut = int.MaxValue;
        _published?.LosePower(_random);
        _hidden?.LosePower(_random);
    }

    /// <summary>The process that used the disk is gone, the machine is not.</summary>
    internal void ProcessDied() => _callsToCut = int.MaxValue;

    /// <summary>The bytes of a copy of the catalogue.</summary>
    internal byte[] Copy(int number)
    {
        byte[] bytes = new byte[CatalogueFormat.CopyLength];
        return bytes[.._published!.Read(bytes, Offset(number))];
    }

    /// <summary>Changes bytes of a copy behind everybody's back.</summary>
    internal void Damage(int number, Action<byte[]> change)
    {
        byte[] bytes = Copy(number);
        change(bytes);
        _published!.Write(bytes, Offset(number));
        _published.Flush();
    }

    public ICatalogueFile? Open() => _published is null ? null : new Handle(this, _published);

    public ICatalogueFile CreateHidden()
    {
        _hidden = new SimulatedFile();
        Step();
        return new Handle(this, _hidden);
    }

    public void Publish()
    {
        if (IsCut())
        {
            // The renaming is in the file system's journal, or it is not.
            if (_random.Next(2) == 0)
            {
                Rename();
            }

            throw new PowerCutException();
        }

        Rename();
    }

    private static long Offset(int copy) => (long)copy * CatalogueFormat.CopyLength;

    private void Rename()
    {
        _published = _hidden;
        _hidden = null;
    }

    private bool IsCut()
    {
        Calls++;
        if (CallsToError is { } left)
        {
            CallsToError = left - 1;
            if (left == 1)
            {
                throw new IOException("Input/output error");
            }
        }

        return --_callsToCut <= 0;
    }

    private void Step()
    {
        if (IsCut())
        {
            throw new PowerCutException();
        }
    }

    private sealed class Handle(SimulatedDisk disk, SimulatedFile file) : ICatalogueFile
    {
        public int Read(Span<byte> buffer, long offset) => file.Read(buffer, offset);

        public void Write(ReadOnlySpan<byte> bytes, long offset)
        {
            file.Write(bytes, offset);
            disk.Step();
        }

        public void Flush()
        {
            disk.Step();
            file.Flush();
        }

        public void Dispose()
        {
        }
    }
}

/// <summary>A file with a cache of sectors above it.</summary>
internal sealed class SimulatedFile
{
    private readonly List<(long Offset, byte[] Sector)> _cached = []; // In the order of writing.
    private readonly Dictionary<long, byte[]> _durable = []; // By offset; sectors are replaced, never changed.

    internal SimulatedFile Clone()
    {
        var clone = new SimulatedFile();
        clone._cached.AddRange(_cached);
        foreach ((long offset, byte[] sector) in _durable)
        {
            clone._durable.Add(offset, sector);
        }

        return clone;
    }

    internal int Read(Span<byte> buffer, long offset)
    {
        Assert.Equal(0, offset % SimulatedDisk.SectorLength);
        int read = 0;
        while (read < buffer.Length && Sector(offset + read) is { } sector)
        {
            Span<byte> part = buffer[read..];
            sector.AsSpan(0, Math.Min(part.Length, sector.Length)).CopyTo(part);
            read += Math.Min(part.Length, sector.Length);
        }

        return read;
    }

    internal void Write(ReadOnlySpan<byte> bytes, long offset)
    {
        Assert.Equal(0, offset % SimulatedDisk.SectorLength);
        Assert.Equal(0, bytes.Length % SimulatedDisk.SectorLength);
        for (int at = 0; at < bytes.Length; at += SimulatedDisk.SectorLength)
        {
            _cached.Add((offset + at, bytes.Slice(at, SimulatedDisk.SectorLength).ToArray()));
        }
    }

    internal void Flush() => Keep(_cached);

    internal void LosePower(Random random)
    {
        (long, byte[])[] cached = [.. _cached];
        random.Shuffle(cached);
        int kept = random.Next(4) switch { 0 => 0, 1 => 100, 2 => 50, _ => random.Next(101) };
        Keep(cached.Where(_ => random.Next(100) < kept));
    }

    private byte[]? Sector(long offset) =>
        _cached.FindLast(cached => cached.Offset == offset).Sector ?? _durable.GetValueOrDefault(offset);

    private void Keep(IEnumerable<(long Offset, byte[] Sector)> sectors)
    {
        foreach ((long offset, byte[] sector) in sectors)
        {
            _durable[offset] = sector;
        }

        _cached.Clear();
    }
}
