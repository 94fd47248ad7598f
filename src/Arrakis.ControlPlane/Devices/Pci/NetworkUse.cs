using Arrakis.Native.Pci;

namespace Arrakis.ControlPlane.Devices.Pci;

/// <summary>Finds whether the machine is reached by a function's interfaces: they, or one that lies on them, carry the default route, or they are part of a bridge or bond.</summary>
/// <param name="bus">Where sysfs is.</param>
/// <param name="proc">Where proc is.</param>
internal sealed class NetworkUse(PciBus bus, string proc = "/proc")
{
    private string Interfaces => Path.Combine(bus.Root, "class/net");

    /// <summary>The first use that is found; null for none.</summary>
    internal FoundUse? Find(PciFunction function)
    {
        if (function.NetworkInterfaces.Count == 0)
        {
            return null;
        }

        HashSet<string> withDefaultRoute = RouteTable.DefaultInterfaces(proc);
        foreach (string name in function.NetworkInterfaces)
        {
            foreach ((string above, string path) in Above(name))
            {
                if (withDefaultRoute.Contains(above))
                {
                    return new FoundUse($"{path} carries the default route", "Route by another interface first");
                }
            }

            if (SysfsFile.TryReadLinkName(Path.Combine(Interfaces, name, "master")) is { } master)
            {
                return new FoundUse($"{name} is part of {master}", $"Take it out (ip link set {name} nomaster)");
            }
        }

        return null;
    }

    /// <summary>An interface and all that lie on it, such as VLANs, bridges and bonds.</summary>
    private Dictionary<string, string> Above(string name)
    {
        const string Upper = "upper_";
        Dictionary<string, string> paths = new() { [name] = name };
        var open = new Queue<string>([name]);
        while (open.TryDequeue(out string? at))
        {
            foreach (string link in SysfsFile.Names(Path.Combine(Interfaces, at), Upper + "*"))
            {
                string above = link[Upper.Length..];
                if (paths.TryAdd(above, $"{above} on {paths[at]}"))
                {
                    open.Enqueue(above);
                }
            }
        }

        return paths;
    }
}
