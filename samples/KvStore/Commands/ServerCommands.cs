using System.Text;
using Arrakis.Samples.KvStore.Protocol;

namespace Arrakis.Samples.KvStore.Commands;

/// <summary>Commands on the server and the connection.</summary>
internal static class ServerCommands
{
    private const string Version = "7.0.0"; // Of the protocol's commands that clients may expect.

    public static CommandSpec[] All { get; } =
    [
        new("PING", 1, 2, false, Ping),
        new("ECHO", 2, 2, false, static (session, command) => session.Reply.Bulk(command[1])),
        new("QUIT", 1, RespParser.MaxWords, false, Quit),
        new("SELECT", 2, 2, false, Select),
        new("HELLO", 1, 8, false, Hello),
        new("CLIENT", 2, 16, false, Client),
        new("CONFIG", 2, 16, false, Config),
        new("COMMAND", 1, RespParser.MaxWords, false, Commands),
        new("INFO", 1, 16, false, Info),
    ];

    private static void Ping(Session session, RespCommand command)
    {
        if (command.Count == 2)
        {
            session.Reply.Bulk(command[1]);
        }
        else
        {
            session.Reply.Simple("PONG"u8);
        }
    }

    private static void Quit(Session session, RespCommand command)
    {
        session.Reply.Ok();
        session.IsEnding = true;
    }

    private static void Select(Session session, RespCommand command)
    {
        if (command[1].SequenceEqual("0"u8))
        {
            session.Reply.Ok();
        }
        else
        {
            session.Reply.Error("ERR DB index is out of range");
        }
    }

    private static void Hello(Session session, RespCommand command)
    {
        if (command.Count > 1)
        {
            if (!Numbers.TryParse(command[1], out long version) || version is not (2 or 3))
            {
                session.Reply.Error("NOPROTO unsupported protocol version");
                return;
            }

            if (command.Count > 2 && !(command.Count == 4 && CommandTable.Is(command[2], "SETNAME")))
            {
                session.Reply.Error("ERR syntax error in HELLO: there are no users, and the one option is SETNAME");
                return;
            }

            session.Reply.Version = (int)version;
            session.Name = command.Count == 4 ? Encoding.Latin1.GetString(command[3]) : session.Name;
        }

        session.Reply.Map(6);
        session.Reply.Bulk("server");
        session.Reply.Bulk("kvstore");
        session.Reply.Bulk("version");
        session.Reply.Bulk(Version);
        session.Reply.Bulk("proto");
        session.Reply.Number(session.Reply.Version);
        session.Reply.Bulk("id");
        session.Reply.Number(session.Id);
        session.Reply.Bulk("mode");
        session.Reply.Bulk("standalone");
        session.Reply.Bulk("role");
        session.Reply.Bulk("master");
    }

    private static void Client(Session session, RespCommand command)
    {
        if (CommandTable.Is(command[1], "ID"))
        {
            session.Reply.Number(session.Id);
        }
        else if (CommandTable.Is(command[1], "GETNAME"))
        {
            session.Reply.Bulk(Encoding.Latin1.GetBytes(session.Name));
        }
        else if (CommandTable.Is(command[1], "SETNAME") && command.Count == 3)
        {
            session.Name = Encoding.Latin1.GetString(command[2]);
            session.Reply.Ok();
        }
        else if (CommandTable.Is(command[1], "SETINFO") && command.Count == 4)
        {
            session.Reply.Ok(); // Nobody asks for it.
        }
        else
        {
            session.Reply.Error($"ERR unknown subcommand '{CommandTable.Printable(command[1])}'");
        }
    }

    private static void Config(Session session, RespCommand command)
    {
        if (!CommandTable.Is(command[1], "GET") || command.Count < 3)
        {
            session.Reply.Error("ERR CONFIG knows GET only");
            return;
        }

        (string Name, string Value)[] settings =
        [
            ("appendfsync", "always"),
            ("appendonly", "yes"),
            ("databases", "1"),
            ("proto-max-bulk-len", $"{session.Store.MaxCommandLength}"),
            ("save", ""),
        ];
        List<(string Name, string Value)> found = [];
        for (int i = 2; i < command.Count; i++)
        {
            string pattern = Encoding.Latin1.GetString(command[i]).ToLowerInvariant();
            found.AddRange(settings.Where(setting => Glob.Matches(pattern, setting.Name) && !found.Contains(setting)));
        }

        session.Reply.Map(found.Count);
        foreach ((string name, string value) in found)
        {
            session.Reply.Bulk(name);
            session.Reply.Bulk(value);
        }
    }

    private static void Commands(Session session, RespCommand command)
    {
        if (command.Count > 1 && CommandTable.Is(command[1], "COUNT"))
        {
            session.Reply.Number(CommandTable.Count);
        }
        else if (command.Count > 1 && CommandTable.Is(command[1], "DOCS"))
        {
            session.Reply.Map(0); // redis-cli asks for hints; there are none.
        }
        else
        {
            session.Reply.Array(0);
        }
    }

    private static void Info(Session session, RespCommand command)
    {
        session.SeeAll();
        session.Reply.Bulk(string.Join(
            "\r\n",
            "# Server",
            $"redis_version:{Version}",
            "server_name:kvstore",
            "# Persistence",
            $"log_used_bytes:{session.Store.UsedLength}",
            $"log_capacity_bytes:{session.Store.Capacity}",
            $"log_compactions:{session.Store.Compactions}",
            $"log_recovered_records:{session.Store.Recovery.Records}",
            "# Keyspace",
            $"db0:keys={session.Database.Count}",
            ""));
    }
}
