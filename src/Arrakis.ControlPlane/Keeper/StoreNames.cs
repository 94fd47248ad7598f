using System.Globalization;

namespace Arrakis.ControlPlane.Keeper;

/// <summary>Names in the descriptor store: arrakis.OWNER.PART. systemd allows no colon and 255 characters.</summary>
internal static class StoreNames
{
    internal const string Prefix = "arrakis.";

    internal const string Ledger = Prefix + "daemon.ledger";

    private const string BindingPrefix = Prefix + "binding-";
    private const string DevicePrefix = Prefix + "device-";

    internal static string OfBinding(ulong bindingId, string part) => $"{BindingPrefix}{bindingId}.{part}";

    internal static string OfDevice(string device, string part) => $"{DevicePrefix}{device}.{part}";

    internal static bool TryParseBinding(string name, out ulong bindingId, out string part)
    {
        bindingId = 0;
        return TryParse(name, BindingPrefix, out string owner, out part)
            && ulong.TryParse(owner, NumberStyles.None, CultureInfo.InvariantCulture, out bindingId);
    }

    internal static bool TryParseDevice(string name, out string device, out string part) => TryParse(name, DevicePrefix, out device, out part);

    private static bool TryParse(string name, string prefix, out string owner, out string part)
    {
        owner = part = "";
        int dot = name.LastIndexOf('.');
        if (!name.StartsWith(prefix, StringComparison.Ordinal) || dot <= prefix.Length)
        {
            return false;
        }

        owner = name[prefix.Length..dot];
        part = name[(dot + 1)..];
        return true;
    }
}
