using Arrakis.ControlPlane.Policy;

namespace Arrakis.ControlPlane.Tests.Policy;

/// <summary>A broken policy is refused, and its reader told where: path(line,column).</summary>
public sealed class PolicyFileTests
{
    [Theory]
    [InlineData("{ \"rules\": [ }", "policy.json(1,14): ")]
    [InlineData("{ \"rules\": []", "policy.json(1,")]
    [InlineData("", "policy.json(1,1): ")]
    [InlineData("null", "policy.json")]
    [InlineData("[]", "policy.json(1,")]
    [InlineData("{ \"rules\": null }", "policy.json(1,")]
    [InlineData("{}", "policy.json(1,")]
    [InlineData("{ \"rules\": [], \"rules\": [] }", "policy.json(1,")]
    [InlineData("{ \"rules\": [], \"comment\": 1 }", "policy.json(1,")]
    public void A_file_that_is_no_policy_is_refused_with_its_place(string text, string place) => Assert.StartsWith(place, Fault(text), StringComparison.Ordinal);

    [Theory]
    [InlineData("\"uid\": \"root\"", "$.rules[0].uid")]
    [InlineData("\"uid\": -1", "$.rules[0].uid")]
    [InlineData("\"uid\": 1, \"uid\": 2", "uid")]
    [InlineData("\"uid\": 1, \"color\": \"red\"", "color")]
    [InlineData("\"uid\": 1, \"devices\": null", "devices")]
    [InlineData("\"uid\": 1, \"devices\": [null]", "device is null")]
    [InlineData("\"uid\": 1, \"devices\": \"*\"", "devices")]
    [InlineData("\"uid\": 1, \"macs\": \"all\"", "\"local\"")]
    [InlineData("\"uid\": 1, \"macs\": [\"01:00:00:00:00:01\"]", "unicast")]
    [InlineData("\"uid\": 1, \"macs\": [7]", "unicast")]
    [InlineData("\"uid\": 1, \"addresses\": [\"10.7.0.0/33\"]", "addresses")]
    [InlineData("\"uid\": 1, \"queueSize\": 100", "power of two")]
    [InlineData("\"uid\": 1, \"memoryBytes\": -1", "negative")]
    [InlineData("\"uid\": 1, \"memoryBytes\": 1e400", "memoryBytes")]
    [InlineData("\"uid\": 1, \"virtualFunctions\": -1", "negative")]
    [InlineData("\"uid\": 1, \"rateBitsPerSecond\": 0", "not positive")]
    [InlineData("\"uid\": 1, \"burstBytes\": 10", "burstBytes")]
    [InlineData("\"uid\": 1, \"anyone\": true", "anyone")]
    [InlineData("\"devices\": [\"*\"]", "matches nobody")]
    [InlineData("\"user\": \"no-such-user-here\"", "no user")]
    [InlineData("\"group\": \"no-such-group-here\"", "no group")]
    [InlineData("\"executable\": \"relative/path\"", "absolute")]
    public void A_rule_with_a_fault_is_refused_on_its_line_and_with_what_is_wrong(string members, string what)
    {
        string devices = members.Contains("devices", StringComparison.Ordinal) ? "" : ", \"devices\": [\"*\"]";
        string fault = Fault($"{{\n  \"rules\": [\n    {{ \"name\": \"bad\", {members}{devices} }}\n  ]\n}}");
        Assert.StartsWith("policy.json(3,", fault, StringComparison.Ordinal);
        Assert.Contains(what, fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{ \"rules\": [ { \"name\": \"\", \"uid\": 1, \"devices\": [\"*\"] } ] }", "name is empty")]
    [InlineData("{ \"rules\": [ { \"uid\": 1, \"devices\": [\"*\"] } ] }", "name")]
    [InlineData("{ \"rules\": [ { \"name\": \"idle\", \"uid\": 1 } ] }", "allows nothing")]
    [InlineData("{ \"rules\": [ null ] }", "rule is null")]
    public void A_rule_that_means_nothing_is_refused(string text, string what)
    {
        string fault = Fault(text);
        Assert.StartsWith("policy.json(1,", fault, StringComparison.Ordinal);
        Assert.Contains(what, fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Comments_trailing_commas_and_defaults_are_fine()
    {
        PolicyDocument policy = PolicyEngineTests.Parse("""
            {
              // Who may what.
              "rules": [ { "name": "a", "uid": 1, "devices": ["x"], }, ],
            }
            """);
        PolicyRule rule = Assert.Single(policy.Rules);
        Assert.Equal((1, 1024, 64 * 1024), (rule.VirtualFunctions, rule.QueueSize, rule.BurstBytes));
        Assert.Equal(MacRuleKind.None, rule.Macs.Kind);
        Assert.False(rule.Administrator);
    }

    [Fact]
    public void A_file_that_is_not_there_is_named() =>
        Assert.Contains("/nowhere/policy.json", Assert.Throws<PolicyException>(static () => PolicyFile.Read("/nowhere/policy.json")).Message, StringComparison.Ordinal);

    private static string Fault(string text) => Assert.Throws<PolicyException>(() => PolicyEngineTests.Parse(text)).Message;
}
