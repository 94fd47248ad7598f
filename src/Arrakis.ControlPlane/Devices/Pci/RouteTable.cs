using System.Globalization;

namespace Arrakis.ControlPlane.Devices.Pci;

/// <summary>The kernel's routes in this network namespace, as proc shows them: of the main table alone.</summary>
internal static class RouteTable
{
    private const uint Up = 0x1; // RTF_UP
    private const uint Reject = 0x200; // RTF_REJECT
    private const string None4 = "00000000";
    private const string None6 = "00000000000000000000000000000000";

    /// <summary>The interfaces that default routes go by.</summary>
    /// <param name="proc">Where proc is.</param>
    internal static HashSet<string> DefaultInterfaces(string proc) => [.. Ipv4(Path.Combine(proc, "net/route")), .. Ipv6(Path.Combine(proc, "net/ipv6_route"))];

    // Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
    private static IEnumerable<string> Ipv4(string path) =>
        from fields in Lines(path).Skip(1)
        where fields.Length >= 8 && fields[1] == None4 && fields[7] == None4 && IsUsable(fields[3])
        select fields[0];

    // destination, its prefix length, source, its prefix length, next hop, metric, reference count, use count, flags, interface
    private static IEnumerable<string> Ipv6(string path) =>
        from fields in Lines(path)
        where fields.Length >= 10 && fields[0] == None6 && fields[1] == "00" && IsUsable(fields[8])
        select fields[9];

    private static bool IsUsable(string flags) =>
        uint.TryParse(flags, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint value) && (value & Up) != 0 && (value & Reject) == 0;

    // A kernel without the protocol has no such file.
    private static IEnumerable<string[]> Lines(string path) =>
        File.Exists(path) ? File.ReadLines(path).Select(static line => line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)) : [];
}
