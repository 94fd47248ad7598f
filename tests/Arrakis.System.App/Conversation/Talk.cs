using System.Text.Json;

namespace Arrakis.SystemApp.Conversation;

/// <summary>The role's side of the conversation: commands come on standard input, a word each; reports go to standard output.</summary>
internal static class Talk
{
    private static readonly Lock s_lock = new();

    /// <summary>The next command; null when the one that started this process is gone.</summary>
    public static string? NextCommand() => Console.In.ReadLine();

    /// <summary>Runs until the end of standard input.</summary>
    public static void WaitForEnd()
    {
        while (NextCommand() is not null)
        {
            // Nothing else is to be heard.
        }
    }

    /// <summary>Reports.</summary>
    public static void Say(Report report)
    {
        string line = JsonSerializer.Serialize(report, ConversationJson.Default.Report);
        lock (s_lock)
        {
            Console.Out.WriteLine(line);
            Console.Out.Flush();
        }
    }

    /// <summary>Runs something on a thread of its own; its failure is reported and ends the process.</summary>
    public static Thread Start(string name, Action work)
    {
        var thread = new Thread(() =>
        {
            try
            {
                work();
            }
            catch (Exception e)
            {
                Say(new FailureReport($"{name}: {e}"));
                throw;
            }
        })
        {
            IsBackground = true,
            Name = name,
        };
        thread.Start();
        return thread;
    }
}
