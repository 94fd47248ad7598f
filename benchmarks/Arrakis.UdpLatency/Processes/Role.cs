using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Arrakis.TestBed.Processes;

namespace Arrakis.UdpLatency.Processes;

/// <summary>
/// What a process of this program does for another one: its first argument is "role", then the role's name and its
/// order as JSON. It answers with one line of JSON on standard output, and ends at the end of standard input at the latest.
/// </summary>
internal static class Role
{
    public const string Argument = "role";

    /// <summary>Starts this program in a role.</summary>
    public static ChildProcess Start<TOrder>(string role, TOrder order, JsonTypeInfo<TOrder> type, string? networkNamespace = null, IReadOnlyDictionary<string, string>? environment = null) =>
        ChildProcess.Start(role, networkNamespace, Environment.ProcessPath!, [Argument, role, JsonSerializer.Serialize(order, type)], ChildEnding.Input, environment);

    /// <summary>Reads a process's answer.</summary>
    public static async Task<TAnswer> AnswerAsync<TAnswer>(this ChildProcess process, JsonTypeInfo<TAnswer> type, TimeSpan timeout, CancellationToken cancellation)
    {
        string line = await process.ReadLineAsync(timeout, cancellation);
        return JsonSerializer.Deserialize(line, type) ?? throw new InvalidDataException($"{process.Name} answered nothing.");
    }
}
