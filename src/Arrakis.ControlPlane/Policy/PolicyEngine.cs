using Arrakis.Contract;
using Arrakis.ControlPlane.ControlSocket;
using Arrakis.Native;

namespace Arrakis.ControlPlane.Policy;

/// <summary>Judges requests by a policy; no state of its own.</summary>
internal static class PolicyEngine
{
    /// <summary>Whether a rule speaks of a process.</summary>
    internal static bool Matches(PolicyRule rule, PeerIdentity peer) =>
        rule.Anyone
        || (IsOrAbsent(rule.Uid, uid => uid == peer.UserId)
            && IsOrAbsent(rule.User, user => UserDirectory.FindUser(user) == peer.UserId)
            && IsOrAbsent(rule.Gid, peer.IsInGroup)
            && IsOrAbsent(rule.Group, group => UserDirectory.FindGroup(group) is { } gid && peer.IsInGroup(gid))
            && IsOrAbsent(rule.Executable, executable => IsProgram(executable, peer)));

    /// <summary>Whether a process may administer; the rule's name, or null.</summary>
    internal static string? FindAdministratorRule(PolicyDocument policy, PeerIdentity peer) =>
        policy.Rules.FirstOrDefault(rule => rule.Administrator && Matches(rule, peer))?.Name;

    /// <summary>Whether a process may know of a device.</summary>
    internal static bool MaySee(PolicyDocument policy, PeerIdentity peer, string device) =>
        policy.Rules.Any(rule => Matches(rule, peer) && (rule.Administrator || NamesDevice(rule, device)));

    /// <summary>Whether a process may know of a storage area, as far as the policy goes.</summary>
    internal static bool MaySeeArea(PolicyDocument policy, PeerIdentity peer, string device, string area) =>
        policy.Rules.Any(rule => Matches(rule, peer) && (rule.Administrator || (NamesDevice(rule, device) && NamesArea(rule, area))));

    /// <summary>Judges the making, growing or naming of a user's own storage area: the first rule that allows it, else the refusal that explains most.</summary>
    /// <param name="policy">The policy.</param>
    /// <param name="peer">Who asks.</param>
    /// <param name="device">The area's device.</param>
    /// <param name="area">Its name.</param>
    /// <param name="bytes">Bytes that it is to have more.</param>
    /// <param name="owned">Bytes of areas that the user owns already.</param>
    internal static PolicyDecision DecideAllocation(PolicyDocument policy, PeerIdentity peer, string device, string area, long bytes, long owned) =>
        Decide(policy, peer, rule =>
            !NamesDevice(rule, device) ? RefuseDevice(rule, device)
            : !NamesArea(rule, area) ? RefuseArea(rule, area)
            : rule.AreaBytes == 0 || rule.AreaAccess == AreaAccess.Read ? Refuse(rule, ErrorCode.Unauthorized, "lets nobody make storage areas", "Ask the administrator to make it.")
            : bytes > rule.AreaBytes - owned ? Refuse(rule, ErrorCode.StorageExhausted, $"allows {rule.AreaBytes} bytes of storage areas, {owned} are in use and {bytes} are wanted", "Ask for less, or delete an area.")
            : null);

    /// <summary>Judges a bind: the first rule that allows it, else the first refusal of a rule that matches.</summary>
    internal static PolicyDecision Decide(PolicyDocument policy, PeerIdentity peer, PolicyQuestion question, UserUsage usage) =>
        Decide(policy, peer, rule => Judge(rule, question, usage));

    private static PolicyDecision Decide(PolicyDocument policy, PeerIdentity peer, Func<PolicyRule, ArrakisException?> judge)
    {
        PolicyDecision? closest = null;
        foreach (PolicyRule rule in policy.Rules)
        {
            if (!Matches(rule, peer))
            {
                continue;
            }

            ArrakisException? refusal = judge(rule);
            if (refusal is null)
            {
                return new PolicyDecision(rule, null);
            }

            // A rule that names the device explains more than one that does not.
            if (closest is null || (closest.Refusal!.Code == ErrorCode.Unauthorized && refusal.Code != ErrorCode.Unauthorized))
            {
                closest = new PolicyDecision(rule, refusal);
            }
        }

        return closest ?? new PolicyDecision(null, new ArrakisException(
            ErrorCode.Unauthorized,
            $"No rule of the policy matches uid {peer.UserId}, gid {peer.GroupId}, program {peer.Executable}.",
            "Ask the administrator for a rule in the policy file."));
    }

    /// <summary>Whether it is the very file: a path alone proves nothing, as a user can mount another file there in a mount namespace.</summary>
    private static bool IsProgram(string executable, PeerIdentity peer) =>
        peer.ExecutableFile is { } file && FileIdentity.TryRead(executable) == file;

    private static bool NamesDevice(PolicyRule rule, string device) => rule.Devices.Contains("*") || rule.Devices.Contains(device);

    private static ArrakisException? Judge(PolicyRule rule, PolicyQuestion question, UserUsage usage)
    {
        if (!NamesDevice(rule, question.Device))
        {
            return RefuseDevice(rule, question.Device);
        }

        if (question.Area is { } area)
        {
            if (!NamesArea(rule, area))
            {
                return RefuseArea(rule, area);
            }

            if (question.Access == AreaAccess.ReadWrite && rule.AreaAccess == AreaAccess.Read)
            {
                return Refuse(rule, ErrorCode.Unauthorized, $"lets storage area '{area}' be read alone", "Ask for reading, or ask the administrator.");
            }
        }

        if (usage.VirtualFunctions >= rule.VirtualFunctions)
        {
            return Refuse(rule, ErrorCode.NoFreeVirtualFunction, $"allows {rule.VirtualFunctions} virtual functions and {usage.VirtualFunctions} are bound", "Release one first.");
        }

        if (question.QueueSize > rule.QueueSize)
        {
            return Refuse(rule, ErrorCode.QueuesExhausted, $"allows rings of {rule.QueueSize} descriptors, not {question.QueueSize}", "Ask for smaller rings.");
        }

        if (question.MemoryBytes > rule.MemoryBytes - usage.MemoryBytes)
        {
            return Refuse(rule, ErrorCode.MemoryExhausted, $"allows {rule.MemoryBytes} bytes of queue memory, {usage.MemoryBytes} are in use and {question.MemoryBytes} are wanted", "Ask for fewer buffers, or release a binding.");
        }

        if (rule.RateBitsPerSecond is { } limit)
        {
            long left = limit - usage.RateBitsPerSecond;
            if ((question.Rate?.BitsPerSecond ?? 1) > left)
            {
                return Refuse(rule, ErrorCode.RateExhausted, $"allows {limit} bit/s, of which {Math.Max(left, 0)} are left", "Ask for a lower rate, or release a binding.");
            }
        }

        if (rule.RateBitsPerSecond is not null && question.Rate?.BurstBytes > rule.BurstBytes)
        {
            return Refuse(rule, ErrorCode.RateExhausted, $"allows bursts of {rule.BurstBytes} bytes, not {question.Rate.BurstBytes}", "Ask for a smaller burst.");
        }

        if (question.Mac is { } mac && !rule.Macs.Allows(mac))
        {
            return Refuse(rule, ErrorCode.Unauthorized, $"does not allow MAC address {mac}", "Leave the address out, and the daemon chooses one.");
        }

        if (question.Address is { } address && rule.Addresses.Count > 0 && !rule.Addresses.Any(prefix => prefix.Contains(address)))
        {
            return Refuse(rule, ErrorCode.Unauthorized, $"does not allow address {address}", $"Ask for one of {string.Join(", ", rule.Addresses)}, or leave it out.");
        }

        return null;
    }

    private static bool NamesArea(PolicyRule rule, string area) => rule.Areas.Any(pattern => AreaPattern.Matches(pattern, area));

    private static ArrakisException RefuseDevice(PolicyRule rule, string device) =>
        Refuse(rule, ErrorCode.Unauthorized, $"does not allow device '{device}'", "Name a device that it allows, or ask the administrator.");

    private static ArrakisException RefuseArea(PolicyRule rule, string area) =>
        Refuse(rule, ErrorCode.Unauthorized, $"does not allow storage area '{area}'", "Name an area that it allows, or ask the administrator.");

    private static ArrakisException Refuse(PolicyRule rule, ErrorCode code, string what, string remedy) =>
        new(code, $"Rule '{rule.Name}' {what}.", remedy);

    private static bool IsOrAbsent<T>(T? value, Func<T, bool> test)
        where T : class => value is null || test(value);

    private static bool IsOrAbsent(uint? value, Func<uint, bool> test) => value is not { } present || test(present);
}
