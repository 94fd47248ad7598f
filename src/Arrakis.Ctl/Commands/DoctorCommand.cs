using System.CommandLine;
using Arrakis.Ctl.Doctor;
using Arrakis.Ctl.Output;
using Arrakis.Native.Pci;

namespace Arrakis.Ctl.Commands;

/// <summary>Checks whether the machine has what bindings need. Asks no daemon.</summary>
internal static class DoctorCommand
{
    internal static Command Create(SharedOptions shared, Terminal terminal)
    {
        var root = new Option<DirectoryInfo>("--root")
        {
            Description = "The root folder of the machine that is looked at, where it is not this one's.",
            HelpName = "folder",
            DefaultValueFactory = static _ => new DirectoryInfo("/"),
        };
        root.AcceptExistingOnly();
        var command = new Command("doctor", "Checks what the machine has for bindings, software and hardware, and says what to do. Needs no daemon.");
        command.Options.Add(root);
        command.SetAction(parsed => (int)Run(parsed.GetRequiredValue(root).FullName, terminal, parsed.GetValue(shared.Json)));
        return command;
    }

    private static ExitCode Run(string root, Terminal terminal, bool json)
    {
        DoctorReport report;
        try
        {
            report = Examination.Run(new Machine(root));
        }
        catch (SysfsException e)
        {
            terminal.WriteError(e.Message);
            return ExitCode.Internal;
        }

        if (json)
        {
            terminal.WriteJson(report, IndentedJson.Ctl.DoctorReport);
        }
        else
        {
            var table = new TextTable("CHECK", "RESULT", "SEEN", "WHAT TO DO");
            table.Wrap(2, 3);
            foreach (Finding finding in report.Findings)
            {
                table.Add(finding.Check, Name(finding.Severity), finding.Seen, finding.Remedy);
            }

            terminal.Write(table, "");
        }

        return report.Usable ? ExitCode.Ok : ExitCode.MachineNotReady;
    }

    private static string Name(Severity severity) => severity switch
    {
        Severity.Ok => "ok",
        Severity.Note => "note",
        _ => "PROBLEM",
    };
}
