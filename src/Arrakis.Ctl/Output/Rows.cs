using System.Text.Json.Serialization;
using Arrakis.Contract.Control;

namespace Arrakis.Ctl.Output;

/// <summary>A virtual function and who holds it; what belongs to a binding is left out where it is free.</summary>
internal sealed record FunctionRow(
    string Device,
    int Index,
    uint Generation,
    ulong? BindingId,
    string? Mac,
    string? Address,
    int? ProcessId,
    string? Executable);

/// <summary>Counters of one port or function.</summary>
[JsonDerivedType(typeof(PortCounterRow))]
[JsonDerivedType(typeof(BlockCounterRow))]
internal abstract record CounterRow(
    [property: JsonPropertyOrder(-2)] string Device,
    [property: JsonPropertyOrder(-1)] string Port);

/// <summary>A port's counters.</summary>
internal sealed record PortCounterRow(
    string Device,
    string Port,
    long FramesIn,
    long BytesIn,
    long FramesOut,
    long BytesOut,
    IReadOnlyDictionary<string, long> Drops) : CounterRow(Device, Port)
{
    internal static PortCounterRow Of(string device, string port, PortCounters counters) =>
        new(device, port, counters.FramesIn, counters.BytesIn, counters.FramesOut, counters.BytesOut, counters.Drops);
}

/// <summary>A block function's counters.</summary>
internal sealed record BlockCounterRow(
    string Device,
    string Port,
    long Reads,
    long BytesRead,
    long Writes,
    long BytesWritten,
    long Flushes,
    long Discards,
    long WriteZeroes,
    long Errors,
    IReadOnlyDictionary<string, long> Refusals) : CounterRow(Device, Port)
{
    internal static BlockCounterRow Of(string device, string port, BlockCounters counters) => new(
        device,
        port,
        counters.Reads,
        counters.BytesRead,
        counters.Writes,
        counters.BytesWritten,
        counters.Flushes,
        counters.Discards,
        counters.WriteZeroes,
        counters.Errors,
        counters.Refusals);
}

/// <summary>A binding that was taken back.</summary>
internal sealed record RevocationRow(ulong BindingId, RevocationMode Mode);

/// <summary>A storage area that was deleted.</summary>
internal sealed record AreaDeletionRow(string Area);

/// <summary>An error on standard error.</summary>
internal sealed record ErrorRow(string Code, string Cause, string Remedy, int ExitCode);
