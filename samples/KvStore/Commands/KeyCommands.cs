using System.Text;
using Arrakis.Samples.KvStore.Data;
using Arrakis.Samples.KvStore.Protocol;

namespace Arrakis.Samples.KvStore.Commands;

/// <summary>Commands on keys.</summary>
internal static class KeyCommands
{
    private const int DefaultScanCount = 10;
    private const int MaxScanCount = 10_000;

    public static CommandSpec[] All { get; } =
    [
        new("DEL", 2, RespParser.MaxWords, false, Delete),
        new("UNLINK", 2, RespParser.MaxWords, false, Delete),
        new("EXISTS", 2, RespParser.MaxWords, false, Exists),
        new("TYPE", 2, 2, false, static (session, command) => session.Reply.Simple(session.Read(command[1]) is null ? "none"u8 : "string"u8)),
        new("EXPIRE", 3, 3, false, static (session, command) => Expire(session, command, 1000, isAbsolute: false)),
        new("PEXPIRE", 3, 3, false, static (session, command) => Expire(session, command, 1, isAbsolute: false)),
        new("EXPIREAT", 3, 3, false, static (session, command) => Expire(session, command, 1000, isAbsolute: true)),
        new("PEXPIREAT", 3, 3, false, static (session, command) => Expire(session, command, 1, isAbsolute: true)),
        new("PERSIST", 2, 2, false, Persist),
        new("TTL", 2, 2, false, static (session, command) => TimeToLive(session, command, 1000)),
        new("PTTL", 2, 2, false, static (session, command) => TimeToLive(session, command, 1)),
        new("KEYS", 2, 2, false, Keys),
        new("SCAN", 2, 8, false, Scan),
        new("DBSIZE", 1, 1, false, Size),
        new("FLUSHALL", 1, 2, false, Flush),
        new("FLUSHDB", 1, 2, false, Flush),
    ];

    private static void Delete(Session session, RespCommand command)
    {
        int count = 0;
        for (int i = 1; i < command.Count; i++)
        {
            if (session.Take(command[i]) is not null)
            {
                count += session.Remove(command[i]) ? 1 : 0;
            }
        }

        session.Reply.Number(count);
    }

    private static void Exists(Session session, RespCommand command)
    {
        int count = 0;
        for (int i = 1; i < command.Count; i++)
        {
            count += session.Read(command[i]) is null ? 0 : 1;
        }

        session.Reply.Number(count);
    }

    private static void Expire(Session session, RespCommand command, long unit, bool isAbsolute)
    {
        if (!Numbers.TryParseExpiry(session, command[2], unit, isAbsolute, "expire", out long expiresAt))
        {
            return;
        }

        Entry? entry = session.Take(command[1]);
        if (entry is not null && expiresAt <= session.Now)
        {
            _ = session.Remove(command[1]);
        }
        else if (entry is not null)
        {
            session.Expire(entry, expiresAt);
        }

        session.Reply.Number(entry is null ? 0 : 1);
    }

    private static void Persist(Session session, RespCommand command)
    {
        Entry? entry = session.Take(command[1]);
        bool had = entry is { ExpiresAt: not 0 };
        if (had)
        {
            session.Expire(entry!, 0);
        }

        session.Reply.Number(had ? 1 : 0);
    }

    private static void TimeToLive(Session session, RespCommand command, long unit)
    {
        Entry? entry = session.Read(command[1]);
        session.Reply.Number(entry is null ? -2 : entry.ExpiresAt == 0 ? -1 : (entry.ExpiresAt - session.Now + unit / 2) / unit);
    }

    private static void Keys(Session session, RespCommand command)
    {
        string pattern = Encoding.Latin1.GetString(command[1]);
        List<byte[]> found = [];
        for (int slot = 0; slot < session.Database.Slots; slot++)
        {
            AddMatch(session, slot, pattern, found);
        }

        session.SeeAll();
        Reply(session, found);
    }

    // The cursor is the next slot: a key keeps its own.
    private static void Scan(Session session, RespCommand command)
    {
        if (!Numbers.TryParse(command[1], out long cursor) || cursor < 0)
        {
            session.Reply.Error("ERR invalid cursor");
            return;
        }

        string pattern = "*";
        long count = DefaultScanCount;
        bool isOtherType = false;
        for (int i = 2; i < command.Count; i += 2)
        {
            if (i + 1 == command.Count)
            {
                session.Reply.Error("ERR syntax error");
                return;
            }

            if (CommandTable.Is(command[i], "MATCH"))
            {
                pattern = Encoding.Latin1.GetString(command[i + 1]);
            }
            else if (CommandTable.Is(command[i], "COUNT"))
            {
                if (!Numbers.TryParse(command[i + 1], out count) || count < 1)
                {
                    Numbers.Refuse(session.Reply);
                    return;
                }
            }
            else if (CommandTable.Is(command[i], "TYPE"))
            {
                isOtherType = !CommandTable.Is(command[i + 1], "string");
            }
            else
            {
                session.Reply.Error("ERR syntax error");
                return;
            }
        }

        List<byte[]> found = [];
        int slots = session.Database.Slots;
        int end = (int)Math.Min(slots, cursor + Math.Min(count, MaxScanCount));
        for (int slot = (int)Math.Min(cursor, slots); slot < end && !isOtherType; slot++)
        {
            AddMatch(session, slot, pattern, found);
        }

        session.SeeAll();
        session.Reply.Array(2);
        session.Reply.Bulk(end < slots && !isOtherType ? $"{end}" : "0");
        Reply(session, found);
    }

    private static void AddMatch(Session session, int slot, string pattern, List<byte[]> found)
    {
        if (session.Database[slot] is { } entry && !entry.IsExpired(session.Now) && Glob.Matches(pattern, Encoding.Latin1.GetString(entry.Key)))
        {
            found.Add(entry.Key);
        }
    }

    private static void Size(Session session, RespCommand command)
    {
        session.SeeAll();
        session.Reply.Number(session.Database.Count);
    }

    private static void Flush(Session session, RespCommand command)
    {
        session.Clear();
        session.Reply.Ok();
    }

    private static void Reply(Session session, List<byte[]> keys)
    {
        session.Reply.Array(keys.Count);
        foreach (byte[] key in keys)
        {
            session.Reply.Bulk(key);
        }
    }
}
