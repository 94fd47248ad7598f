using Arrakis.Contract;
using Arrakis.ControlPlane.ControlSocket;
using Arrakis.ControlPlane.Policy;
using Arrakis.ControlPlane.Tests.Support;
using Arrakis.Wire;

namespace Arrakis.ControlPlane.Tests.Policy;

public sealed class PolicyEngineTests
{
    private const string Rule = "\"name\": \"r\", \"devices\": [\"nic0\"], \"virtualFunctions\": 2, \"queueSize\": 256, \"memoryBytes\": 4194304";
    private static readonly string s_program = Environment.ProcessPath!;

    [Fact]
    public void What_no_rule_allows_is_denied()
    {
        PolicyDecision decision = Decide("{ \"rules\": [] }", Peers.Of());

        Assert.Null(decision.Rule);
        Assert.Equal(ErrorCode.Unauthorized, decision.Refusal!.Code);
        Assert.Contains("uid 1000", decision.Refusal.Cause, StringComparison.Ordinal);
        Assert.NotEmpty(decision.Refusal.Remedy);
    }

    [Theory]
    [InlineData("\"uid\": 1000", true)]
    [InlineData("\"uid\": 1001", false)]
    [InlineData("\"gid\": 1000", true)]
    [InlineData("\"gid\": 27", true)]
    [InlineData("\"gid\": 28", false)]
    [InlineData("\"user\": \"root\"", false)]
    [InlineData("\"group\": \"root\"", false)]
    [InlineData("\"anyone\": true", true)]
    [InlineData("\"uid\": 1000, \"gid\": 27", true)]
    [InlineData("\"uid\": 1000, \"gid\": 28", false)]
    [InlineData("\"executable\": \"/bin/sh\"", false)]
    public void A_rule_matches_when_all_its_matchers_do(string matchers, bool matches)
    {
        using PeerIdentity peer = Peers.Of(groups: [27]);
        Assert.Equal(matches, Decide($"{{ \"rules\": [ {{ {Rule}, {matchers} }} ] }}", peer).IsAllowed);
    }

    [Fact]
    public void Names_of_users_and_groups_are_those_of_the_machine()
    {
        using PeerIdentity root = Peers.Of(0, 0);
        using PeerIdentity supplementary = Peers.Of(5, 5, [0]);
        Assert.True(Decide($"{{ \"rules\": [ {{ {Rule}, \"user\": \"root\" }} ] }}", root).IsAllowed);
        Assert.True(Decide($"{{ \"rules\": [ {{ {Rule}, \"group\": \"root\" }} ] }}", supplementary).IsAllowed);
    }

    [Fact]
    public void A_program_is_its_file_whatever_its_path_is_called()
    {
        string folder = Directory.CreateTempSubdirectory("arrakis-policy-").FullName;
        try
        {
            string link = Path.Combine(folder, "link");
            string copy = Path.Combine(folder, "copy");
            _ = File.CreateSymbolicLink(link, s_program);
            File.Copy(s_program, copy);
            using PeerIdentity peer = Peers.Of(executable: s_program);
            Assert.True(Decide(ForProgram(s_program), peer).IsAllowed);
            Assert.True(Decide(ForProgram(link), peer).IsAllowed);
            Assert.False(Decide(ForProgram(copy), peer).IsAllowed);
            Assert.False(Decide(ForProgram(Path.Combine(folder, "missing")), peer).IsAllowed);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void A_process_whose_program_cannot_be_read_matches_no_program()
    {
        using PeerIdentity peer = Peers.Of();
        Assert.False(Decide(ForProgram(s_program), peer).IsAllowed);
    }

    [Theory]
    [InlineData("other", 64, 0, 0, ErrorCode.Unauthorized, "device")]
    [InlineData("nic0", 64, 2, 0, ErrorCode.NoFreeVirtualFunction, "2 are bound")]
    [InlineData("nic0", 512, 0, 0, ErrorCode.QueuesExhausted, "rings of 256")]
    [InlineData("nic0", 64, 0, 4194304, ErrorCode.MemoryExhausted, "queue memory")]
    public void A_refusal_names_the_rule_the_bound_and_the_remedy(string device, int queueSize, int functions, long memory, ErrorCode code, string what)
    {
        using PeerIdentity peer = Peers.Of();
        PolicyDecision decision = Decide(
            $"{{ \"rules\": [ {{ {Rule}, \"anyone\": true }} ] }}", peer, new PolicyQuestion(device, queueSize, 2097152, null, null, null), new UserUsage(functions, memory, 0));

        Assert.Equal(code, decision.Refusal!.Code);
        Assert.StartsWith("Rule 'r' ", decision.Refusal.Cause, StringComparison.Ordinal);
        Assert.Contains(what, decision.Refusal.Cause, StringComparison.Ordinal);
        Assert.NotEmpty(decision.Refusal.Remedy);
    }

    [Theory]
    [InlineData(1_000_000, 0, 65536, true)]
    [InlineData(1_000_001, 0, 65536, false)]
    [InlineData(400_000, 600_000, 65536, true)]
    [InlineData(400_001, 600_000, 65536, false)]
    [InlineData(1_000, 0, 65537, false)]
    public void Rates_are_bounded_in_total_and_bursts_by_the_rule(long rate, long used, int burst, bool allowed)
    {
        using PeerIdentity peer = Peers.Of();
        PolicyDecision decision = Decide(
            $"{{ \"rules\": [ {{ {Rule}, \"anyone\": true, \"rateBitsPerSecond\": 1000000 }} ] }}",
            peer,
            Question() with { Rate = new RateSpecifier(rate, burst) },
            new UserUsage(0, 0, used));
        Assert.Equal(allowed ? null : ErrorCode.RateExhausted, decision.Refusal?.Code);
    }

    [Theory]
    [InlineData("\"any\"", "00:16:3e:00:00:01", true)]
    [InlineData("\"local\"", "02:00:00:00:00:01", true)]
    [InlineData("\"local\"", "00:16:3e:00:00:01", false)]
    [InlineData("[\"02:00:00:00:00:01\"]", "02:00:00:00:00:01", true)]
    [InlineData("[\"02:00:00:00:00:01\"]", "02:00:00:00:00:02", false)]
    [InlineData("[]", "02:00:00:00:00:01", false)]
    public void Hardware_addresses_are_those_that_the_rule_allows(string macs, string mac, bool allowed)
    {
        using PeerIdentity peer = Peers.Of();
        PolicyDecision decision = Decide(
            $"{{ \"rules\": [ {{ {Rule}, \"anyone\": true, \"macs\": {macs} }} ] }}", peer, Question() with { Mac = MacAddress.Parse(mac, null) });
        Assert.Equal(allowed, decision.IsAllowed);
    }

    [Theory]
    [InlineData("10.7.0.200", true)]
    [InlineData("10.7.0.3", false)]
    public void Addresses_are_of_the_rules_networks(string address, bool allowed)
    {
        using PeerIdentity peer = Peers.Of();
        PolicyDecision decision = Decide(
            $"{{ \"rules\": [ {{ {Rule}, \"anyone\": true, \"addresses\": [\"10.7.0.128/25\"] }} ] }}", peer, Question() with { Address = Ipv4Address.Parse(address, null) });
        Assert.Equal(allowed, decision.IsAllowed);
        Assert.True(allowed || decision.Refusal!.Remedy.Contains("10.7.0.128/25", StringComparison.Ordinal));
    }

    [Fact]
    public void The_first_rule_that_allows_a_request_grants_it()
    {
        using PeerIdentity peer = Peers.Of();
        PolicyDecision decision = Decide(
            """
            { "rules": [
              { "name": "small", "anyone": true, "devices": ["*"], "queueSize": 2 },
              { "name": "first", "anyone": true, "devices": ["*"] },
              { "name": "second", "anyone": true, "devices": ["*"] } ] }
            """,
            peer);
        Assert.Equal("first", decision.Rule!.Name);
    }

    [Fact]
    public void A_refusal_is_that_of_the_rule_that_came_closest()
    {
        using PeerIdentity peer = Peers.Of();
        PolicyDecision decision = Decide(
            """
            { "rules": [
              { "name": "elsewhere", "anyone": true, "devices": ["other"] },
              { "name": "close", "anyone": true, "devices": ["nic0"], "queueSize": 2 } ] }
            """,
            peer);
        Assert.Equal("close", decision.Rule!.Name);
        Assert.Equal(ErrorCode.QueuesExhausted, decision.Refusal!.Code);
    }

    [Fact]
    public void Only_an_administrators_rule_makes_an_administrator_and_it_sees_all_devices()
    {
        PolicyDocument policy = Parse("""
            { "rules": [ { "name": "boss", "uid": 1, "administrator": true }, { "name": "user", "uid": 2, "devices": ["nic0"] } ] }
            """);
        using PeerIdentity boss = Peers.Of(1);
        using PeerIdentity user = Peers.Of(2);
        Assert.Equal("boss", PolicyEngine.FindAdministratorRule(policy, boss));
        Assert.Null(PolicyEngine.FindAdministratorRule(policy, user));
        Assert.True(PolicyEngine.MaySee(policy, boss, "nic1"));
        Assert.True(PolicyEngine.MaySee(policy, user, "nic0"));
        Assert.False(PolicyEngine.MaySee(policy, user, "nic1"));
        Assert.Equal(ErrorCode.Unauthorized, PolicyEngine.Decide(policy, boss, Question(), default).Refusal!.Code);
    }

    internal static PolicyDocument Parse(string text) => PolicyFile.Parse(System.Text.Encoding.UTF8.GetBytes(text), "policy.json");

    private static string ForProgram(string path) => $"{{ \"rules\": [ {{ {Rule}, \"executable\": \"{path}\" }} ] }}";

    private static PolicyQuestion Question() => new("nic0", 64, 2097152, null, null, null);

    [Theory]
    [InlineData("[\"log\"]", "log", true)]
    [InlineData("[\"log\"]", "logs", false)]
    [InlineData("[\"log-*\"]", "log-a", true)]
    [InlineData("[\"log-*\"]", "kv", false)]
    [InlineData("[\"kv\", \"*-b\"]", "log-b", true)]
    [InlineData("[\"*\"]", "log", true)]
    [InlineData("[\"l?g\"]", "log", false)]
    [InlineData("[\"l\\\\g\"]", "lg", false)]
    [InlineData("[]", "log", false)]
    public void A_storage_area_is_allowed_by_its_name(string areas, string area, bool isAllowed)
    {
        using PeerIdentity peer = Peers.Of();
        PolicyDocument policy = Parse($"{{ \"rules\": [ {{ {Rule}, \"anyone\": true, \"areas\": {areas} }} ] }}");
        PolicyDecision decision = PolicyEngine.Decide(policy, peer, Question() with { Area = area, Access = AreaAccess.ReadWrite }, default);
        Assert.Equal((isAllowed, isAllowed), (decision.IsAllowed, PolicyEngine.MaySeeArea(policy, peer, "nic0", area)));
        Assert.False(PolicyEngine.MaySeeArea(policy, peer, "nic1", area));
        Assert.Equal(isAllowed ? null : ErrorCode.Unauthorized, decision.Refusal?.Code);
    }

    [Theory]
    [InlineData("read", AreaAccess.Read, true)]
    [InlineData("read", AreaAccess.ReadWrite, false)]
    [InlineData("readWrite", AreaAccess.ReadWrite, true)]
    public void Writing_is_allowed_apart_from_reading(string rule, AreaAccess access, bool isAllowed)
    {
        using PeerIdentity peer = Peers.Of();
        PolicyDocument policy = Parse($"{{ \"rules\": [ {{ {Rule}, \"anyone\": true, \"areas\": [\"*\"], \"areaAccess\": \"{rule}\" }} ] }}");
        Assert.Equal(isAllowed, PolicyEngine.Decide(policy, peer, Question() with { Area = "log", Access = access }, default).IsAllowed);
    }

    [Theory]
    [InlineData("\"areas\": [\"log\"], \"areaBytes\": 100", "log", 60, 40, null)]
    [InlineData("\"areas\": [\"log\"], \"areaBytes\": 100", "log", 61, 40, ErrorCode.StorageExhausted)]
    [InlineData("\"areas\": [\"log\"], \"areaBytes\": 100", "kv", 1, 0, ErrorCode.Unauthorized)]
    [InlineData("\"areas\": [\"log\"]", "log", 1, 0, ErrorCode.Unauthorized)]
    [InlineData("\"areas\": [\"log\"], \"areaBytes\": 100, \"areaAccess\": \"read\"", "log", 1, 0, ErrorCode.Unauthorized)]
    public void Bytes_of_storage_areas_are_bounded_for_each_user(string members, string area, long bytes, long owned, ErrorCode? refusal)
    {
        using PeerIdentity peer = Peers.Of();
        PolicyDocument policy = Parse($"{{ \"rules\": [ {{ {Rule}, \"anyone\": true, {members} }} ] }}");
        Assert.Equal(refusal, PolicyEngine.DecideAllocation(policy, peer, "nic0", area, bytes, owned).Refusal?.Code);
        Assert.Equal(ErrorCode.Unauthorized, PolicyEngine.DecideAllocation(policy, peer, "nic1", area, bytes, owned).Refusal?.Code);
    }

    private static PolicyDecision Decide(string policy, PeerIdentity peer, PolicyQuestion? question = null, UserUsage usage = default) =>
        PolicyEngine.Decide(Parse(policy), peer, question ?? Question(), usage);
}
