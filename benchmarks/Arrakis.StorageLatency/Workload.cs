namespace Arrakis.StorageLatency;

/// <summary>What is done again and again.</summary>
internal enum Work
{
    /// <summary>Reads 4 KiB at a random place.</summary>
    Read,

    /// <summary>Writes 4 KiB at a random place; of the kernel's files durably, of the others as the medium's cache takes it.</summary>
    Write,

    /// <summary>Writes 1 KiB behind the last, durably.</summary>
    Append,
}

/// <summary>A work, and how many requests of it there are at once.</summary>
/// <param name="Work">The work.</param>
/// <param name="Depth">Requests at once; of files, threads.</param>
internal readonly record struct Workload(Work Work, int Depth)
{
    /// <summary>Bytes of the file, or area, that is worked on.</summary>
    public const long Span = 48L << 20;

    /// <summary>Bytes of a request.</summary>
    public int Length => Work == Work.Append ? 1024 : 4096;

    /// <summary>Its name in the result.</summary>
    public string Name => Work switch
    {
        Work.Read => "read-4k",
        Work.Write => "write-4k",
        _ => "append-1k",
    };
}

/// <summary>What one run gave.</summary>
/// <param name="Iops">Requests a second.</param>
/// <param name="P50">Microseconds.</param>
/// <param name="P99">Microseconds.</param>
/// <param name="CpuPerIo">Microseconds of processor time a request, of all processes that took part; the kernel's own threads are not in it.</param>
internal readonly record struct Sample(double Iops, double P50, double P99, double CpuPerIo);
