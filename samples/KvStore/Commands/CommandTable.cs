using System.Collections.Frozen;
using System.Text;
using Arrakis.Samples.KvStore.Protocol;

namespace Arrakis.Samples.KvStore.Commands;

/// <summary>What a command does.</summary>
internal delegate void CommandHandler(Session session, RespCommand command);

/// <summary>A command.</summary>
/// <param name="Name">Its name, in capitals.</param>
/// <param name="MinWords">The fewest words, its name among them.</param>
/// <param name="MaxWords">The most.</param>
/// <param name="Grows">Whether it may add keys or bytes, so that it is refused when the store is full.</param>
/// <param name="Run">What it does.</param>
internal sealed record CommandSpec(string Name, int MinWords, int MaxWords, bool Grows, CommandHandler Run);

/// <summary>All commands, by name.</summary>
internal static class CommandTable
{
    private const int MaxNameLength = 16;
    private const int MaxRepeated = 64;

    private static readonly FrozenDictionary<string, CommandSpec> s_commands =
        ((CommandSpec[])[.. StringCommands.All, .. KeyCommands.All, .. ServerCommands.All]).ToFrozenDictionary(static spec => spec.Name, StringComparer.Ordinal);

    private static readonly FrozenDictionary<string, CommandSpec>.AlternateLookup<ReadOnlySpan<char>> s_lookup = s_commands.GetAlternateLookup<ReadOnlySpan<char>>();

    public static int Count => s_commands.Count;

    /// <summary>Runs a command, or says what is wrong with it.</summary>
    public static void Run(Session session, RespCommand command)
    {
        session.Now = session.Store.Now;
        Span<char> name = stackalloc char[MaxNameLength];
        int length = command[0].Length;
        if (length > MaxNameLength || Encoding.Latin1.GetChars(command[0], name) != length
            || !s_lookup.TryGetValue(Upper(name[..length]), out CommandSpec? spec))
        {
            session.Reply.Error($"ERR unknown command '{Printable(command[0])}'");
        }
        else if (command.Count < spec.MinWords || command.Count > spec.MaxWords)
        {
            session.Reply.Error($"ERR wrong number of arguments for '{Printable(command[0])}' command");
        }
        else if (spec.Grows && session.Store.IsFullFor(command.Length + Data.Effects.Overhead))
        {
            session.Reply.Error("OOM command not allowed: keys and values take the part of the log that is for them; delete some, or start with a longer log");
        }
        else
        {
            spec.Run(session, command);
        }
    }

    /// <summary>A client's word, as an error may repeat it.</summary>
    public static string Printable(ReadOnlySpan<byte> word) =>
        new([.. Encoding.Latin1.GetString(word[..Math.Min(word.Length, MaxRepeated)]).Select(static letter => letter is >= ' ' and <= '~' ? letter : '?')]);

    /// <summary>Whether a word is this one, in any case.</summary>
    public static bool Is(ReadOnlySpan<byte> word, string name) => Ascii.EqualsIgnoreCase(word, name);

    private static ReadOnlySpan<char> Upper(Span<char> name)
    {
        foreach (ref char letter in name)
        {
            letter = letter is >= 'a' and <= 'z' ? (char)(letter - 0x20) : letter;
        }

        return name;
    }
}
