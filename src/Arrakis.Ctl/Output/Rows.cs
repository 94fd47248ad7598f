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

/// <summary>A port's counters.</summary>
internal sealed record CounterRow(
    string Device,
    string Port,
    long FramesIn,
    long BytesIn,
    long FramesOut,
    long BytesOut,
    IReadOnlyDictionary<string, long> Drops)
{
    internal static CounterRow Of(string device, string port, PortCounters counters) =>
        new(device, port, counters.FramesIn, counters.BytesIn, counters.FramesOut, counters.BytesOut, counters.Drops);
}

/// <summary>A binding that was taken back.</summary>
internal sealed record RevocationRow(ulong BindingId, RevocationMode Mode);

/// <summary>A storage area that was deleted.</summary>
internal sealed record AreaDeletionRow(string Area);

/// <summary>An error on standard error.</summary>
internal sealed record ErrorRow(string Code, string Cause, string Remedy, int ExitCode);
