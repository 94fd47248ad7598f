using System.Text.Json.Serialization;
using Arrakis.Contract.Json;

namespace Arrakis.Contract.Control;

/// <summary>A block function's counters, seen from the device. Requests count when they are answered; what is in flight is in none.</summary>
public sealed record BlockCounters : IJsonOnDeserialized
{
    /// <summary>Reads that were done.</summary>
    public long Reads { get; init; }

    /// <summary>Bytes that these read.</summary>
    public long BytesRead { get; init; }

    /// <summary>Writes that were done.</summary>
    public long Writes { get; init; }

    /// <summary>Bytes that these wrote.</summary>
    public long BytesWritten { get; init; }

    /// <summary>Flushes that were done.</summary>
    public long Flushes { get; init; }

    /// <summary>Discards that were done.</summary>
    public long Discards { get; init; }

    /// <summary>Requests to write zeros that were done.</summary>
    public long WriteZeroes { get; init; }

    /// <summary>Requests that the device took and its medium failed.</summary>
    public long Errors { get; init; }

    /// <summary>Requests that the device refused, by reason.</summary>
    public IReadOnlyDictionary<string, long> Refusals { get; set; } = new Dictionary<string, long>();

    void IJsonOnDeserialized.OnDeserialized() => NullElements.Refuse(Refusals, nameof(Refusals));
}
