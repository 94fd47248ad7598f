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

    /// <summary>Writes this process's answer.</summary>
    public static void Answer<TAnswer>(TAnswer answer, JsonTypeInfo<TAnswer> type)
    {
        Console.Out.WriteLine(JsonSerializer.Serialize(answer, type));
        Console.Out.Flush();
    }

    /// <summary>Calls when the one that started this process closes our standard input, as it does when it ends.</summary>
    public static void OnParentGone(Action gone)
    {
        var watch = new Thread(() =>
        {
            using Stream input = Console.OpenStandardInput();
            while (input.ReadByte() >= 0)
            {
                // Nothing is said there; only its end counts.
            }

            gone();
        })
        {
            IsBackground = true,
            Name = "parent-watch",
        };
        watch.Start();
    }
}
