using System.Globalization;
using System.Text;
using Arrakis.Contract.Control;
using Arrakis.Native.Pci;
using Arrakis.Wire;
using Arrakis.Wire.Rings;
using Microsoft.Extensions.Options;

namespace Arrakis.ControlPlane.Hosting;

/// <summary>Refuses a configuration that cannot work, before anything is started; names each fault.</summary>
internal sealed class DaemonOptionsValidator : IValidateOptions<DaemonOptions>
{
    private const int SocketPathCapacity = 107; // sockaddr_un
    private const int MaxFunctions = 2048; // The ledger's record has room for their generations.
    private const int SoftFunctionsMax = 64; // The device's switch has a bit for each in a word.
    private const int SoftMtuMax = 1500; // The device's frame buffers.
    private const int InterfaceNameCapacity = 15; // IFNAMSIZ
    private const int PciFunctionsMax = 256;
    private const int VlanMax = 4094; // IEEE 802.1Q; 0 and 4095 are reserved.

    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, DaemonOptions options)
    {
        List<string> faults = [];
        CheckPath(faults, "socket.path", options.Socket.Path, allowAbstract: true);
        if (!TryParseMode(options.Socket.Mode, out _))
        {
            faults.Add($"socket.mode '{options.Socket.Mode}' is no file mode; write octal digits such as \"0660\".");
        }

        CheckPath(faults, "runtimeDirectory", options.RuntimeDirectory, allowAbstract: false);
        if (string.IsNullOrWhiteSpace(options.PolicyFile))
        {
            faults.Add("policyFile is empty; name the policy's file.");
        }

        CheckLimits(faults, options.Limits);
        int functions = options.Devices.Sum(static device => device switch
        {
            SoftDeviceOptions soft => Math.Clamp(soft.Functions, 0, MaxFunctions) + Math.Clamp(soft.Blocks?.Functions ?? 0, 0, MaxFunctions),
            VhostUserDeviceOptions external => external.Sockets.Count,
            HardwareDeviceOptions hardware => Math.Clamp(hardware.FunctionCount, 0, MaxFunctions),
            VhostUserBlockDeviceOptions disks => disks.Disks.Count,
            NvmeDeviceOptions nvme => Math.Clamp(nvme.FunctionCount, 0, MaxFunctions),
            _ => 0,
        });
        if (functions > MaxFunctions)
        {
            faults.Add($"devices have {functions} virtual functions in all; a daemon takes at most {MaxFunctions}.");
        }

        if (options.Export is { } export && (!Path.IsPathFullyQualified(export.Path) || export.Path.TrimEnd('/').Length == 0))
        {
            faults.Add($"export.path '{export.Path}' is no folder's absolute path.");
        }

        if (!Path.IsPathFullyQualified(options.StateDirectory))
        {
            faults.Add($"stateDirectory '{options.StateDirectory}' is not an absolute path.");
        }

        HashSet<string> names = [];
        HashSet<string> uplinks = [];
        HashSet<string> areas = [];
        for (int i = 0; i < options.Devices.Count; i++)
        {
            if (options.Devices[i] is null)
            {
                faults.Add($"devices[{i}] is null; write an object.");
                continue;
            }

            CheckDevice(faults, $"devices[{i}]", options, options.Devices[i], names, uplinks);
            BlockOptionsValidator.Check(faults, $"devices[{i}]", options.Devices[i], names, areas);
        }

        return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
    }

    internal static bool TryParseMode(string text, out UnixFileMode mode)
    {
        mode = default;
        if (text.Length is 0 or > 4 || text.Any(c => c is < '0' or > '7'))
        {
            return false;
        }

        int bits = text.Aggregate(0, (value, digit) => value * 8 + (digit - '0'));
        mode = (UnixFileMode)bits;
        return bits <= 0x1FF;
    }

    private static void CheckLimits(List<string> faults, LimitOptions limits)
    {
        foreach ((string name, int value) in new[]
        {
            ("connections", limits.Connections),
            ("connectionsPerUser", limits.ConnectionsPerUser),
            ("silentConnections", limits.SilentConnections),
            ("silentConnectionsPerUser", limits.SilentConnectionsPerUser),
            ("requestsInFlight", limits.RequestsInFlight),
        })
        {
            if (value is < 1 or > 100_000)
            {
                faults.Add(string.Create(CultureInfo.InvariantCulture, $"limits.{name} is {value}; write 1 to 100000."));
            }
        }

        if (limits.HelloTimeoutSeconds is not (> 0 and <= 3600))
        {
            faults.Add("limits.helloTimeoutSeconds is not from 0 to 3600.");
        }
    }

    private static void CheckDevice(List<string> faults, string place, DaemonOptions options, DeviceOptions device, HashSet<string> names, HashSet<string> uplinks)
    {
        if (device.Name.Length is 0 or > 32 || !device.Name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'))
        {
            faults.Add($"{place}.name '{device.Name}' is not a name; use 1 to 32 letters, digits, '-' and '_'.");
        }
        else if (!names.Add(device.Name))
        {
            faults.Add($"{place}.name '{device.Name}' is there twice; names are unique.");
        }

        if (!RingLayout.IsValidQueueSize(device.QueueSizeMax))
        {
            faults.Add($"{place}.queueSizeMax is {device.QueueSizeMax}; write a power of two up to 32768.");
        }

        if (device.QueuePairsMax is < 1 or > ControlProtocol.MaxQueuePairs)
        {
            faults.Add($"{place}.queuePairsMax is {device.QueuePairsMax}; write 1 to {ControlProtocol.MaxQueuePairs}.");
        }

        if (device is NicDeviceOptions nic)
        {
            CheckNic(faults, place, nic);
        }

        switch (device)
        {
            case SoftDeviceOptions soft:
                CheckSoft(faults, place, options, soft, uplinks);
                break;
            case VhostUserDeviceOptions external:
                CheckExternal(faults, place, external);
                break;
            case SriovDeviceOptions sriov:
                CheckSriov(faults, place, sriov);
                break;
            case PciDeviceOptions pci:
                CheckPci(faults, place, pci);
                break;
        }
    }

    private static void CheckNic(List<string> faults, string place, NicDeviceOptions device)
    {
        if (device.Mtu is < 576 or > 2034 - 14)
        {
            faults.Add($"{place}.mtu is {device.Mtu}; write 576 to 2020 (a buffer has 2048 bytes).");
        }

        if (device.RateBitsPerSecond is <= 0)
        {
            faults.Add($"{place}.rateBitsPerSecond is not positive; leave it out for no limit.");
        }

        foreach (Ipv4Prefix network in device.Networks)
        {
            if (network.PrefixLength < 8 || !network.Network.IsUnicast || !network.DirectedBroadcast.IsUnicast)
            {
                faults.Add($"{place}.networks: {network} is no network of hosts; write one such as 10.7.0.0/24, of a prefix length from 8.");
            }
        }

        if (device.Gateway is { } gateway && device.Networks.Count > 0 && !device.Networks.Any(network => network.Contains(gateway)))
        {
            faults.Add($"{place}.gateway {gateway} is in none of the device's networks.");
        }
    }

    private static void CheckSoft(List<string> faults, string place, DaemonOptions options, SoftDeviceOptions soft, HashSet<string> uplinks)
    {
        if (soft.Functions is < 1 or > SoftFunctionsMax)
        {
            faults.Add($"{place}.functions is {soft.Functions}; write 1 to {SoftFunctionsMax}.");
        }

        if (soft.Mtu > SoftMtuMax)
        {
            faults.Add($"{place}.mtu is {soft.Mtu}; a software device carries at most {SoftMtuMax}.");
        }

        if (soft.Core is { } core && (core < 0 || core >= Environment.ProcessorCount))
        {
            faults.Add($"{place}.core is {core}; this machine has cores 0 to {Environment.ProcessorCount - 1}.");
        }

        if (soft.Idle is not ("spin" or "adaptive"))
        {
            faults.Add($"{place}.idle '{soft.Idle}' is unknown; write \"spin\" or \"adaptive\".");
        }

        if (soft.Uplink is { } uplink && (uplink.Length is 0 or > InterfaceNameCapacity || uplink.Any(c => c is '/' or ' ' || char.IsControl(c) || c > 127)))
        {
            faults.Add($"{place}.uplink '{uplink}' is no interface name; use 1 to 15 characters.");
        }
        else if (soft.Uplink is { } name && !uplinks.Add(name))
        {
            faults.Add($"{place}.uplink '{name}' is there twice.");
        }

        CheckPath(faults, $"{place}: the device's sockets", $"{options.RuntimeDirectory}/{soft.Name}/manage.sock", allowAbstract: false);
    }

    private static void CheckExternal(List<string> faults, string place, VhostUserDeviceOptions external)
    {
        if (external.Sockets.Count is 0 or > 256)
        {
            faults.Add($"{place}.sockets has {external.Sockets.Count} entries; write a socket for each virtual function, 1 to 256.");
        }

        for (int i = 0; i < external.Sockets.Count; i++)
        {
            CheckPath(faults, $"{place}.sockets[{i}]", external.Sockets[i], allowAbstract: true);
        }

        if (external.RateBitsPerSecond is not null)
        {
            faults.Add($"{place}.rateBitsPerSecond: the daemon cannot limit a back end that it does not run.");
        }
    }

    private static void CheckSriov(List<string> faults, string place, SriovDeviceOptions sriov)
    {
        if (string.IsNullOrWhiteSpace(sriov.PhysicalFunction))
        {
            faults.Add($"{place}.physicalFunction is empty; name the NIC's interface or PCI address.");
        }

        if (sriov.Functions is < 1 or > PciFunctionsMax)
        {
            faults.Add($"{place}.functions is {sriov.Functions}; write 1 to {PciFunctionsMax}.");
        }

        if (sriov.Vlan is < 1 or > VlanMax)
        {
            faults.Add($"{place}.vlan is {sriov.Vlan}; write 1 to {VlanMax}, or leave it out for none.");
        }
    }

    private static void CheckPci(List<string> faults, string place, PciDeviceOptions pci)
    {
        if (pci.Functions.Count is 0 or > PciFunctionsMax)
        {
            faults.Add($"{place}.functions has {pci.Functions.Count} entries; write the PCI address of each function, 1 to {PciFunctionsMax}.");
        }

        HashSet<string> seen = [];
        foreach (string text in pci.Functions)
        {
            if (!PciAddress.TryParse(text, out PciAddress address))
            {
                faults.Add($"{place}.functions: '{text}' is no PCI address; write one such as 0000:01:10.0.");
            }
            else if (!seen.Add(address.ToString()))
            {
                faults.Add($"{place}.functions: {address} is there twice.");
            }
        }

        if (pci.RateBitsPerSecond is not null)
        {
            faults.Add($"{place}.rateBitsPerSecond: nothing in front of these functions limits their rate; use a device of kind sriov.");
        }
    }

    internal static void CheckPath(List<string> faults, string name, string path, bool allowAbstract)
    {
        if (string.IsNullOrEmpty(path) || (path[0] != '/' && !(allowAbstract && path[0] == '@')))
        {
            faults.Add($"{name} '{path}' is not an absolute path.");
        }
        else if (Encoding.UTF8.GetByteCount(path) > SocketPathCapacity)
        {
            faults.Add($"{name} '{path}' is longer than the {SocketPathCapacity} bytes of a Unix socket's path.");
        }
    }
}
