using System.Globalization;

namespace Arrakis.Ctl.Doctor;

/// <summary>Are there cores for pollers?</summary>
internal static class CoresCheck
{
    private const string Name = "cores";
    private const int Comfortable = 3;

    internal static IEnumerable<Finding> Run(Machine machine)
    {
        int count = Machine.CountOf(machine.ReadText("sys/devices/system/cpu/online"));
        yield return count == 0
            ? new Finding(Name, Severity.Note, "The machine does not say how many it has.", "Nothing.")
            : count < Comfortable
                ? new Finding(
                    Name,
                    Severity.Note,
                    string.Create(CultureInfo.InvariantCulture, $"{count} online. A device and an application poll a core each."),
                    "Keep \"idle\": \"adaptive\" where more than one application polls, so that who has nothing to do sleeps.")
                : new Finding(Name, Severity.Ok, string.Create(CultureInfo.InvariantCulture, $"{count} online."));
    }
}
