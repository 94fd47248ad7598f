using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Arrakis.UdpEchoServer;

/// <summary>What a process of the benchmarks says to the one that has started it: a line of JSON for each answer.</summary>
internal static class Conversation
{
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
