using System.CommandLine;
using System.Globalization;
using Arrakis.Contract.Control;
using Arrakis.Ctl.Output;

namespace Arrakis.Ctl.Commands;

/// <summary>Makes, changes, lists and deletes storage areas.</summary>
internal sealed class AreaCommand
{
    private readonly CommandFactory _factory;

    private AreaCommand(CommandFactory factory) => _factory = factory;

    internal static Command Create(CommandFactory commands)
    {
        var area = new AreaCommand(commands);
        var command = new Command("area", "Makes, changes, lists and deletes storage areas.");
        command.Subcommands.Add(area.MakeCreate());
        command.Subcommands.Add(area.MakeGrow());
        command.Subcommands.Add(area.MakeDelete());
        command.Subcommands.Add(area.MakeList());
        command.Subcommands.Add(area.MakeRename());
        command.Subcommands.Add(area.MakeChown());
        command.Subcommands.Add(area.MakeShare("share", "Lets others than the owner read an area.", sharedRead: true));
        command.Subcommands.Add(area.MakeShare("unshare", "Lets nobody but the owner read an area; bindings that there are stay.", sharedRead: false));
        return command;
    }

    private Command MakeCreate()
    {
        var name = new Argument<string>("name") { Description = "Its name: 1 to 63 of the letters a-z, 0-9, '-', '_' and '.', the first no '.'." };
        Option<long> size = Size("Bytes, rounded up to the device's unit of allocation");
        Option<string?> device = _factory.DeviceNames.Option();
        device.Description = "The device it is to be on; otherwise the first that has room.";
        Option<uint?> owner = new("--owner")
        {
            Description = "Whose it is to be: a user's name or number; otherwise one's own.",
            HelpName = "user",
            CustomParser = static result => UserNames.Parse(result),
        };
        Command command = _factory.Create("create", "Makes an area; its blocks read as zeros.", session => ShowAsync(session, session.Client.CreateAreaAsync(
            session.CommandLine.GetRequiredValue(name),
            session.CommandLine.GetValue(size),
            session.CommandLine.GetValue(device),
            session.CommandLine.GetValue(owner),
            session.Cancellation)));
        command.Arguments.Add(name);
        command.Options.Add(size);
        command.Options.Add(device);
        command.Options.Add(owner);
        return command;
    }

    private Command MakeGrow()
    {
        Argument<string> name = _factory.AreaNames.Argument();
        Option<long> size = Size("Bytes that it is to have, rounded up to the device's unit of allocation");
        Command command = _factory.Create("grow", "Makes an area longer; what it has stays. A binding sees it when it is made anew.", session => ShowAsync(session, session.Client.GrowAreaAsync(
            session.CommandLine.GetRequiredValue(name),
            session.CommandLine.GetValue(size),
            session.Cancellation)));
        command.Arguments.Add(name);
        command.Options.Add(size);
        return command;
    }

    private Command MakeDelete()
    {
        Argument<string> name = _factory.AreaNames.Argument();
        Command command = _factory.Create("delete", "Deletes an area that nobody has bound, and all that is in it.", async session =>
        {
            string area = session.CommandLine.GetRequiredValue(name);
            await session.Client.DeleteAreaAsync(area, session.Cancellation).ConfigureAwait(false);
            if (session.Json)
            {
                session.Terminal.WriteJson(new AreaDeletionRow(area), IndentedJson.Ctl.AreaDeletionRow);
            }
            else
            {
                session.Terminal.Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Area {area} is deleted."));
            }

            return ExitCode.Ok;
        });
        command.Arguments.Add(name);
        return command;
    }

    private Command MakeList() => _factory.Create("list", "Lists areas: those that one may bind, or all for an administrator.", static async session =>
    {
        IReadOnlyList<AreaDescription> areas = await session.Client.ListAreasAsync(session.Cancellation).ConfigureAwait(false);
        if (session.Json)
        {
            session.Terminal.WriteJson(areas, IndentedJson.Contract.IReadOnlyListAreaDescription);
        }
        else
        {
            WriteTable(session, areas);
        }

        return ExitCode.Ok;
    });

    private Command MakeRename()
    {
        Argument<string> name = _factory.AreaNames.Argument();
        var newName = new Argument<string>("new-name") { Description = "Its new name." };
        Command command = _factory.Create("rename", "Gives an area another name.", session => ShowAsync(session, session.Client.ChangeAreaAsync(
            session.CommandLine.GetRequiredValue(name),
            newName: session.CommandLine.GetRequiredValue(newName),
            cancellationToken: session.Cancellation)));
        command.Arguments.Add(name);
        command.Arguments.Add(newName);
        return command;
    }

    private Command MakeChown()
    {
        Argument<string> name = _factory.AreaNames.Argument();
        var owner = new Argument<uint>("owner")
        {
            Description = "A user's name or number.",
            CustomParser = static result => UserNames.Parse(result) ?? 0,
        };
        Command command = _factory.Create("chown", "Gives an area another owner; bindings that there are stay.", session => ShowAsync(session, session.Client.ChangeAreaAsync(
            session.CommandLine.GetRequiredValue(name),
            owner: session.CommandLine.GetValue(owner),
            cancellationToken: session.Cancellation)));
        command.Arguments.Add(name);
        command.Arguments.Add(owner);
        return command;
    }

    private Command MakeShare(string verb, string description, bool sharedRead)
    {
        Argument<string> name = _factory.AreaNames.Argument();
        Command command = _factory.Create(verb, description, session => ShowAsync(session, session.Client.ChangeAreaAsync(
            session.CommandLine.GetRequiredValue(name),
            sharedRead: sharedRead,
            cancellationToken: session.Cancellation)));
        command.Arguments.Add(name);
        return command;
    }

    private static Option<long> Size(string description) => new("--size")
    {
        Description = $"{description}: a number, with K, M, G or T in units of 1024, such as 512M.",
        HelpName = "bytes",
        Required = true,
        CustomParser = static result =>
        {
            if (Units.TryParseBytes(result.Tokens[0].Value, out long bytes))
            {
                return bytes;
            }

            result.AddError($"'{result.Tokens[0].Value}' is no size; write a positive number of bytes, or one with K, M, G or T such as 1.5G.");
            return 0;
        },
    };

    private static async Task<ExitCode> ShowAsync(Session session, ValueTask<AreaDescription> request)
    {
        AreaDescription area = await request.ConfigureAwait(false);
        if (session.Json)
        {
            session.Terminal.WriteJson(area, IndentedJson.Contract.AreaDescription);
        }
        else
        {
            WriteTable(session, [area]);
        }

        return ExitCode.Ok;
    }

    private static void WriteTable(Session session, IReadOnlyList<AreaDescription> areas)
    {
        var table = new TextTable("AREA", "DEVICE", "SIZE", "BLOCK", "EXTENTS", "OWNER", "READ BY", "BINDINGS");
        foreach (AreaDescription area in areas)
        {
            table.Add(
                area.Name,
                area.Device,
                Units.Bytes(area.Length),
                area.BlockSize,
                area.Extents,
                area.Owner,
                area.SharedRead ? "all" : "owner",
                string.Join(", ", area.Bindings));
        }

        session.Terminal.Write(table, "There is no storage area that you may bind.");
    }
}
