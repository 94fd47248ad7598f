using Arrakis.ControlPlane.Keeper;
using Arrakis.Native;

namespace Arrakis.ControlPlane.Hosting;

/// <summary>What an earlier daemon left, by owner and part.</summary>
internal sealed class LeftDescriptors
{
    internal Dictionary<ulong, Dictionary<string, Descriptor>> Bindings { get; } = [];

    internal Dictionary<string, Dictionary<string, Descriptor>> Devices { get; } = [];

    internal Descriptor? Ledger { get; private set; }

    internal static LeftDescriptors Sort(IReadOnlyDictionary<string, Descriptor> left)
    {
        var sorted = new LeftDescriptors();
        foreach ((string name, Descriptor descriptor) in left)
        {
            if (name == StoreNames.Ledger)
            {
                sorted.Ledger = descriptor;
            }
            else if (StoreNames.TryParseBinding(name, out ulong id, out string part))
            {
                Part(sorted.Bindings, id)[part] = descriptor;
            }
            else if (StoreNames.TryParseDevice(name, out string device, out string devicePart))
            {
                Part(sorted.Devices, device)[devicePart] = descriptor;
            }
            else
            {
                descriptor.Dispose();
            }
        }

        return sorted;
    }

    internal Dictionary<string, Descriptor> OfDevice(string device) => Part(Devices, device);

    private static Dictionary<string, Descriptor> Part<T>(Dictionary<T, Dictionary<string, Descriptor>> owners, T owner)
        where T : notnull
    {
        if (!owners.TryGetValue(owner, out Dictionary<string, Descriptor>? parts))
        {
            owners[owner] = parts = [];
        }

        return parts;
    }
}
