using Arrakis.Contract;
using Arrakis.ControlPlane.ControlSocket;
using Arrakis.ControlPlane.Policy;
using Arrakis.ControlPlane.Tests.Support;
using Arrakis.Wire;
using CsCheck;

namespace Arrakis.ControlPlane.Tests.Policy;

/// <summary>The engine against a judge that is nothing but the rules' meaning, one rule at a time.</summary>
public sealed class PolicyPropertyTests
{
    private static readonly MacAddress s_local = MacAddress.Parse("02:00:00:00:00:01", null);
    private static readonly MacAddress s_global = MacAddress.Parse("00:16:3e:00:00:01", null);
    private static readonly Ipv4Prefix s_network = Ipv4Prefix.Parse("10.7.0.0/25", null);

    private static readonly Gen<PolicyRule> s_rule =
        from matcher in Gen.Int[0, 3]
        from number in Gen.UInt[0, 2]
        from device in Pick.From("a", "b", "*")
        from functions in Gen.Int[0, 3]
        from queue in Pick.From(64, 256)
        from memory in Gen.Long[0, 4]
        from rate in Gen.Long[0, 3]
        from macs in Pick.From(MacRule.None, new MacRule(MacRuleKind.Any, []), new MacRule(MacRuleKind.Local, []), new MacRule(MacRuleKind.Listed, [s_global]))
        from bounded in Gen.Bool
        select new PolicyRule
        {
            Name = "r",
            Anyone = matcher == 0,
            Uid = matcher is 1 or 3 ? number : null,
            Gid = matcher is 2 or 3 ? number : null,
            Devices = [device],
            VirtualFunctions = functions,
            QueueSize = queue,
            MemoryBytes = memory,
            RateBitsPerSecond = rate == 0 ? null : rate,
            BurstBytes = 4096,
            Macs = macs,
            Addresses = bounded ? [s_network] : [],
        };

    private static readonly Gen<(uint Uid, uint Gid, uint Group)> s_peer = Gen.Select(Gen.UInt[0, 2], Gen.UInt[0, 2], Gen.UInt[0, 2]);

    private static readonly Gen<PolicyQuestion> s_question =
        from device in Pick.From("a", "b", "c")
        from queue in Pick.From(64, 256, 512)
        from memory in Gen.Long[0, 5]
        from rate in Gen.Long[0, 4]
        from burst in Pick.From(2048, 4096, 8192)
        from mac in Gen.Int[0, 2]
        from address in Gen.Int[0, 2]
        select new PolicyQuestion(
            device,
            queue,
            memory,
            rate == 0 ? null : new RateSpecifier(rate, burst),
            mac == 0 ? null : mac == 1 ? s_local : s_global,
            address == 0 ? null : Ipv4Address.Parse(address == 1 ? "10.7.0.5" : "10.7.0.200", null));

    private static readonly Gen<UserUsage> s_usage = Gen.Select(Gen.Int[0, 3], Gen.Long[0, 4], Gen.Long[0, 3], static (functions, memory, rate) => new UserUsage(functions, memory, rate));

    [Fact]
    public void The_engine_grants_exactly_what_some_single_rule_allows_and_by_the_first_such()
    {
        Gen.Select(s_rule.Array[0, 5], s_peer, s_question, s_usage).Sample(
            static (rules, who, question, usage) =>
            {
                using PeerIdentity peer = Peers.Of(who.Uid, who.Gid, [who.Group]);
                PolicyDecision decision = PolicyEngine.Decide(new PolicyDocument { Rules = rules }, peer, question, usage);
                PolicyRule? allowing = rules.FirstOrDefault(rule => Allows(rule, who, question, usage));
                return ReferenceEquals(decision.IsAllowed ? decision.Rule : null, allowing);
            },
            seed: Seeds.Fixed,
            iter: 20_000,
            threads: 1);
    }

    private static bool Allows(PolicyRule rule, (uint Uid, uint Gid, uint Group) who, PolicyQuestion question, UserUsage usage)
    {
        bool matches = (rule.Uid ?? who.Uid) == who.Uid && (rule.Gid is not { } gid || gid == who.Gid || gid == who.Group);
        bool named = rule.Devices[0] == "*" || rule.Devices[0] == question.Device;
        bool fits = usage.VirtualFunctions + 1 <= rule.VirtualFunctions && question.QueueSize <= rule.QueueSize && usage.MemoryBytes + question.MemoryBytes <= rule.MemoryBytes;
        long wanted = question.Rate?.BitsPerSecond ?? 1;
        bool slow = rule.RateBitsPerSecond is not { } limit || (usage.RateBitsPerSecond + wanted <= limit && (question.Rate?.BurstBytes ?? 0) <= rule.BurstBytes);
        bool mac = question.Mac is not { } address || rule.Macs.Kind switch
        {
            MacRuleKind.Any => true,
            MacRuleKind.Local => address == s_local,
            MacRuleKind.Listed => address == s_global,
            _ => false,
        };
        bool ip = question.Address is not { } host || rule.Addresses.Count == 0 || host.Value <= s_network.DirectedBroadcast.Value;
        return matches && named && fits && slow && mac && ip;
    }
}
