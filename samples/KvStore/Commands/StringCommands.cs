using System.Buffers.Text;
using Arrakis.Samples.KvStore.Data;
using Arrakis.Samples.KvStore.Protocol;

namespace Arrakis.Samples.KvStore.Commands;

/// <summary>Commands on values.</summary>
internal static class StringCommands
{
    public static CommandSpec[] All { get; } =
    [
        new("GET", 2, 2, false, Get),
        new("SET", 3, 8, true, Set),
        new("SETNX", 3, 3, true, SetIfNew),
        new("GETSET", 3, 3, true, GetSet),
        new("MGET", 2, RespParser.MaxWords, false, GetMany),
        new("MSET", 3, RespParser.MaxWords, true, SetMany),
        new("APPEND", 3, 3, true, Append),
        new("STRLEN", 2, 2, false, Length),
        new("INCR", 2, 2, true, static (session, command) => Add(session, command, 1)),
        new("DECR", 2, 2, true, static (session, command) => Add(session, command, -1)),
        new("INCRBY", 3, 3, true, static (session, command) => AddWord(session, command, isNegative: false)),
        new("DECRBY", 3, 3, true, static (session, command) => AddWord(session, command, isNegative: true)),
    ];

    private static void Get(Session session, RespCommand command) => Reply(session, session.Read(command[1]));

    private static void Set(Session session, RespCommand command)
    {
        long expiresAt = 0;
        bool ifNew = false, ifThere = false, keeps = false, gets = false;
        for (int i = 3; i < command.Count; i++)
        {
            ReadOnlySpan<byte> word = command[i];
            if (CommandTable.Is(word, "NX") && !ifThere)
            {
                ifNew = true;
            }
            else if (CommandTable.Is(word, "XX") && !ifNew)
            {
                ifThere = true;
            }
            else if (CommandTable.Is(word, "GET"))
            {
                gets = true;
            }
            else if (CommandTable.Is(word, "KEEPTTL") && expiresAt == 0)
            {
                keeps = true;
            }
            else if (Unit(word) is { } unit && !keeps && expiresAt == 0 && i + 1 < command.Count)
            {
                if (!Numbers.TryParseExpiry(session, command[++i], unit.Milliseconds, unit.IsAbsolute, "set", out expiresAt))
                {
                    return;
                }

                if (expiresAt <= (unit.IsAbsolute ? 0 : session.Now))
                {
                    session.Reply.Error("ERR invalid expire time in 'set' command");
                    return;
                }
            }
            else
            {
                session.Reply.Error("ERR syntax error");
                return;
            }
        }

        Entry? before = session.Take(command[1]);
        bool isDone = before is null ? !ifThere : !ifNew;
        if (gets)
        {
            Reply(session, before);
        }
        else if (isDone)
        {
            session.Reply.Ok();
        }
        else
        {
            session.Reply.Null();
        }

        if (isDone)
        {
            session.Set(command[1], command[2], keeps && before is not null ? before.ExpiresAt : expiresAt);
        }
    }

    private static void SetIfNew(Session session, RespCommand command)
    {
        bool isNew = session.Take(command[1]) is null;
        if (isNew)
        {
            session.Set(command[1], command[2], 0);
        }

        session.Reply.Number(isNew ? 1 : 0);
    }

    private static void GetSet(Session session, RespCommand command)
    {
        Reply(session, session.Take(command[1]));
        session.Set(command[1], command[2], 0);
    }

    private static void GetMany(Session session, RespCommand command)
    {
        session.Reply.Array(command.Count - 1);
        for (int i = 1; i < command.Count; i++)
        {
            Reply(session, session.Read(command[i]));
        }
    }

    private static void SetMany(Session session, RespCommand command)
    {
        if (command.Count % 2 == 0)
        {
            session.Reply.Error("ERR wrong number of arguments for 'mset' command");
            return;
        }

        for (int i = 1; i < command.Count; i += 2)
        {
            session.Set(command[i], command[i + 1], 0);
        }

        session.Reply.Ok();
    }

    private static void Append(Session session, RespCommand command)
    {
        int length = session.Take(command[1])?.Value.Length ?? 0;
        if (command[2].Length > session.Store.MaxCommandLength - length)
        {
            session.Reply.Error("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
            return;
        }

        session.Reply.Number(session.Append(command[1], command[2]).Value.Length);
    }

    private static void Length(Session session, RespCommand command) => session.Reply.Number(session.Read(command[1])?.Value.Length ?? 0);

    private static void AddWord(Session session, RespCommand command, bool isNegative)
    {
        if (!Numbers.TryParse(command[2], out long by) || (isNegative && by == long.MinValue))
        {
            Numbers.Refuse(session.Reply);
            return;
        }

        Add(session, command, isNegative ? -by : by);
    }

    private static void Add(Session session, RespCommand command, long by)
    {
        Entry? entry = session.Take(command[1]);
        long value = 0;
        if (entry is not null && !Numbers.TryParse(entry.Value, out value))
        {
            Numbers.Refuse(session.Reply);
            return;
        }

        if ((by > 0 && value > long.MaxValue - by) || (by < 0 && value < long.MinValue - by))
        {
            session.Reply.Error("ERR increment or decrement would overflow");
            return;
        }

        value += by;
        Span<byte> text = stackalloc byte[24];
        _ = Utf8Formatter.TryFormat(value, text, out int length);
        session.Set(command[1], text[..length], entry?.ExpiresAt ?? 0);
        session.Reply.Number(value);
    }

    private static void Reply(Session session, Entry? entry)
    {
        if (entry is null)
        {
            session.Reply.Null();
        }
        else
        {
            session.Reply.Bulk(entry.Value);
        }
    }

    private static (long Milliseconds, bool IsAbsolute)? Unit(ReadOnlySpan<byte> word) =>
        CommandTable.Is(word, "EX") ? (1000, false)
        : CommandTable.Is(word, "PX") ? (1, false)
        : CommandTable.Is(word, "EXAT") ? (1000, true)
        : CommandTable.Is(word, "PXAT") ? (1, true)
        : null;
}
