using System.Globalization;
using Arrakis.Contract;
using Arrakis.Native;
using Arrakis.Native.Net;
using Arrakis.Native.Pci;
using Arrakis.Wire;
using Tmds.Linux;

namespace Arrakis.ControlPlane.Devices.Pci;

/// <summary>Sets what a physical function enforces on its virtual functions, through its kernel driver (rtnetlink), and reads it back.</summary>
/// <param name="interfaceName">The physical function's interface.</param>
/// <remarks>Whether the hardware then does so is the driver's to say. Calls take as long as the driver needs, some milliseconds.</remarks>
internal sealed class VfControl(string interfaceName)
{
    private const int MegabitsPerSecond = 1_000_000;

    /// <summary>The control of a physical function.</summary>
    /// <exception cref="ArrakisException">It has no interface in this network namespace.</exception>
    internal static VfControl Of(PciFunction physical) =>
        physical.NetworkInterfaces is [string name, ..]
            ? new VfControl(name)
            : throw new ArrakisException(
                ErrorCode.DeviceUnavailable,
                $"{physical.Address} has no network interface in the daemon's network namespace, so its virtual functions cannot be set.",
                "Bind it to its kernel driver, and leave its interface in that namespace.");

    /// <summary>A rate that the driver can take, never above the one that is given.</summary>
    /// <exception cref="ArrakisException">It is below 1 Mbit/s, the unit of such limits.</exception>
    internal static int Megabits(long bitsPerSecond) =>
        bitsPerSecond >= MegabitsPerSecond
            ? (int)Math.Min(int.MaxValue, bitsPerSecond / MegabitsPerSecond)
            : throw new ArrakisException(
                ErrorCode.SettingRefused,
                $"A rate of {bitsPerSecond} bit/s is below 1 Mbit/s, the unit of rates of virtual functions.",
                "Ask for 1 Mbit/s or more.");

    /// <summary>Reads what is enforced on a virtual function.</summary>
    /// <exception cref="ArrakisException">The interface or the function is not there.</exception>
    internal VirtualFunctionState Read(int function)
    {
        using RouteNetlink netlink = RouteNetlink.Open();
        return Read(netlink, function);
    }

    /// <summary>Sets what is given, one setting after the other, and reads it back.</summary>
    /// <exception cref="ArrakisException">SettingRefused: the driver does not have a setting, or not that value. Those before it stay set.</exception>
    internal VirtualFunctionState Apply(int function, VfSettings settings)
    {
        Validate(settings);
        using RouteNetlink netlink = RouteNetlink.Open();
        VirtualFunctionState before = Read(netlink, function);
        uint index = (uint)function;
        if (settings.Mac is { } mac)
        {
            byte[] octets = new byte[MacAddress.Length];
            mac.Write(octets);
            Try(function, $"the hardware address {mac}", () => netlink.SetAddress(interfaceName, index, octets));
        }

        if (settings.Vlan is { } vlan)
        {
            Try(function, $"VLAN {vlan}", () => netlink.Set(interfaceName, index, VirtualFunctionAttribute.Vlan, (uint)vlan, (uint)settings.VlanPriority));
        }

        if (settings.SpoofCheck is { } check)
        {
            Try(function, $"spoof check {OnOff(check)}", () => netlink.Set(interfaceName, index, VirtualFunctionAttribute.SpoofCheck, check ? 1u : 0u));
        }

        if (settings.Trusted is { } trusted)
        {
            Try(function, $"trust {OnOff(trusted)}", () => netlink.Set(interfaceName, index, VirtualFunctionAttribute.Trust, trusted ? 1u : 0u));
        }

        if (settings.MinRateMegabits is not null || settings.MaxRateMegabits is not null)
        {
            // Both travel together: what is not given stays as it is. What is so already is not set: without a link drivers refuse even that.
            (uint least, uint most) = ((uint?)settings.MinRateMegabits ?? before.MinRate ?? 0, (uint?)settings.MaxRateMegabits ?? before.MaxRate ?? 0);
            if ((least, most) != (before.MinRate, before.MaxRate))
            {
                Try(function, $"a sending rate of {least} to {most} Mbit/s", () => netlink.Set(interfaceName, index, VirtualFunctionAttribute.Rate, least, most));
            }
        }

        VirtualFunctionState after = Read(netlink, function);
        Verify(function, settings, after);
        return after;
    }

    private static void Validate(VfSettings settings)
    {
        string? fault =
            settings.Mac is { IsUnicast: false } mac ? $"{mac} is not the address of one station"
            : settings.Vlan is < 0 or > VfSettings.MaxVlan ? $"there is no VLAN {settings.Vlan}"
            : settings.VlanPriority is < 0 or > VfSettings.MaxVlanPriority ? $"there is no VLAN priority {settings.VlanPriority}"
            : settings is { MinRateMegabits: < 0 } or { MaxRateMegabits: < 0 } ? "a rate is negative"
            : settings is { MinRateMegabits: { } least, MaxRateMegabits: > 0 and var most } && least > most ? $"the least rate ({least} Mbit/s) is above the most ({most} Mbit/s)"
            : null;
        if (fault is not null)
        {
            throw new ArrakisException(ErrorCode.InvalidRequest, $"Settings of a virtual function make no sense: {fault}.", "Correct the configuration.");
        }
    }

    private VirtualFunctionState Read(RouteNetlink netlink, int function)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(function);
        LinkState link;
        try
        {
            link = netlink.Read(interfaceName);
        }
        catch (LinuxException e)
        {
            throw new ArrakisException(ErrorCode.DeviceUnavailable, $"Interface {interfaceName} cannot be read: {e.Message}.", "Check that the physical function is bound to its kernel driver.", e);
        }

        return link.VirtualFunctions.FirstOrDefault(state => state.Index == (uint)function)
            ?? throw new ArrakisException(
                ErrorCode.DeviceUnavailable,
                $"Interface {interfaceName} has no virtual function {function}: its driver describes {link.VirtualFunctions.Count}.",
                "Switch virtual functions on; a driver in switchdev mode has other ways to set them, which are not served.");
    }

    private void Try(int function, string what, Action set)
    {
        try
        {
            set();
        }
        catch (LinuxException e)
        {
            string why = e.Errno == LibC.EOPNOTSUPP ? "its driver does not have that setting"
                : e.Errno == LibC.EINVAL ? "its driver does not take that value"
                : e.Errno == LibC.EPERM ? "the daemon may not change network interfaces"
                : "its driver refuses";
            throw new ArrakisException(
                ErrorCode.SettingRefused,
                string.Create(CultureInfo.InvariantCulture, $"Virtual function {function} of {interfaceName} cannot have {what}: {why} ({e.Message})."),
                e.Errno == LibC.EPERM ? "Run arrakisd with CAP_NET_ADMIN." : "Leave the setting out, or choose a value that the card and its driver have. Rates may need the interface to be up and to have a link.",
                e);
        }
    }

    private void Verify(int function, VfSettings wanted, VirtualFunctionState has)
    {
        string? fault =
            wanted.Mac is { } mac && MacAddress.Read(has.HardwareAddress) != mac ? $"hardware address {MacAddress.Read(has.HardwareAddress)}"
            : wanted.Vlan is { } vlan && has.Vlan != (uint)vlan ? $"VLAN {has.Vlan}"
            : wanted.SpoofCheck is { } check && has.SpoofCheck is { } checks && check != checks ? $"spoof check {OnOff(checks)}"
            : wanted.Trusted is { } trust && has.Trusted is { } trusted && trust != trusted ? $"trust {OnOff(trusted)}"
            : wanted.MinRateMegabits is { } least && has.MinRate != (uint)least ? $"a least rate of {has.MinRate} Mbit/s"
            : wanted.MaxRateMegabits is { } most && has.MaxRate != (uint)most ? $"a rate limit of {has.MaxRate} Mbit/s"
            : null;
        if (fault is not null)
        {
            throw new ArrakisException(
                ErrorCode.SettingRefused,
                $"Virtual function {function} of {interfaceName} still has {fault}, although its driver said that it took another.",
                "Leave the setting out, or use another card or driver.");
        }
    }

    private static string OnOff(bool value) => value ? "on" : "off";
}
