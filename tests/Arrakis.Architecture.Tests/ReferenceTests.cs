using System.Globalization;
using System.Text.RegularExpressions;

namespace Arrakis.Architecture.Tests;

/// <summary>What docs/operations.md lists is what the code has, and all of it.</summary>
public sealed partial class ReferenceTests
{
    private const string Page = "docs/operations.md";

    [Theory]
    [InlineData("## Configuration", "DaemonOptions")]
    [InlineData("### Members of socket", "SocketOptions")]
    [InlineData("### Members of limits", "LimitOptions")]
    [InlineData("### Members of every device", "DeviceOptions")]
    [InlineData("### Members of every NIC", "NicDeviceOptions")]
    [InlineData("### Members of a soft device", "SoftDeviceOptions")]
    [InlineData("### Members of a vhost-user device", "VhostUserDeviceOptions")]
    public void Every_member_of_the_configuration_is_documented_and_no_other(string heading, string record) =>
        AssertSame(Members("src/Arrakis.ControlPlane/Hosting/DaemonOptions.cs", record), Table(heading));

    [Theory]
    [InlineData("### Members of every hardware device", "HardwareDeviceOptions")]
    [InlineData("### Members of an sriov device", "SriovDeviceOptions")]
    [InlineData("### Members of a pci device", "PciDeviceOptions")]
    public void Every_member_of_a_hardware_device_is_documented_and_no_other(string heading, string record) =>
        AssertSame(Members("src/Arrakis.ControlPlane/Hosting/HardwareDeviceOptions.cs", record), Table(heading));

    [Theory]
    [InlineData("### Members of blocks", "SoftBlockOptions")]
    [InlineData("### Members of a vhost-user-block device", "VhostUserBlockDeviceOptions")]
    [InlineData("### Members of a disk", "VhostUserDiskOptions")]
    [InlineData("### Members of an nvme device", "NvmeDeviceOptions")]
    public void Every_member_of_a_block_device_is_documented_and_no_other(string heading, string record) =>
        AssertSame(Members("src/Arrakis.ControlPlane/Hosting/BlockDeviceOptions.cs", record), Table(heading));

    [Fact]
    public void Every_member_of_the_export_is_documented_and_no_other() =>
        AssertSame(Members("src/Arrakis.ControlPlane/Hosting/ExportOptions.cs", "ExportOptions"), Table("### Members of export"));

    [Fact]
    public void Every_member_of_a_policy_rule_is_documented_and_no_other() =>
        AssertSame(Members("src/Arrakis.ControlPlane/Policy/PolicyDocument.cs", "PolicyRule"), Table("### Members of a rule"));

    [Fact]
    public void Every_error_code_is_documented_and_no_other() =>
        AssertSame(EnumNames("src/Arrakis.Contract/Errors/ErrorCode.cs", "ErrorCode"), Table("### Errors"));

    [Fact]
    public void Every_drop_reason_of_the_switch_is_documented_and_no_other() =>
        AssertSame(
            DropName().Matches(Repository.Read("src/Arrakis.SoftDevice/Switch/DropReason.cs")).Select(static match => match.Groups[1].Value),
            Table("### Drops at the switch"));

    [Fact]
    public void Every_refusal_of_a_block_function_is_documented_and_no_other() =>
        AssertSame(
            RefusalName().Matches(Repository.Read("src/Arrakis.SoftDevice/Blocks/BlockRefusal.cs")).Select(static match => match.Groups[1].Value),
            Table("### Refusals of a block function"));

    [Fact]
    public void Every_counter_of_the_application_is_documented_and_no_other()
    {
        IEnumerable<string> drops = EnumNames("src/Arrakis.DataPlane/Nic/DropReason.cs", "DropReason");
        IEnumerable<string> errors = EnumNames("src/Arrakis.Wire/Frames/FrameError.cs", "FrameError").Where(static name => name != "None");

        AssertSame(drops.Concat(errors), Table("### Drops in the application"));
    }

    [Fact]
    public void Every_exit_code_is_documented_and_no_other()
    {
        string section = Section("### Exit codes");
        AssertSame(
            EnumValue().Matches(Repository.Read("src/Arrakis.Ctl/ExitCode.cs")).Select(static match => match.Groups[1].Value),
            Rows(section[section.IndexOf("`arrakisctl`:", StringComparison.Ordinal)..]));
        string daemon = section[..section.IndexOf("`arrakis-softdevice`:", StringComparison.Ordinal)];
        string configurationFault = ConfigurationFault().Match(Repository.Read("src/Arrakis.ControlPlane/Hosting/DaemonCommandLine.cs")).Groups[1].Value;

        AssertSame(["0", "1", configurationFault], Rows(daemon));
    }

    [Fact]
    public void Every_option_of_arrakisd_is_documented_and_no_other()
    {
        string code = Repository.Read("src/Arrakis.ControlPlane/Program.cs");
        string root = code[..code.IndexOf("keeperSocket", StringComparison.Ordinal)];

        AssertSame(Option().Matches(root).Select(static match => match.Groups[1].Value), Table("## arrakisd"));
    }

    [Fact]
    public void Every_command_of_arrakisctl_is_documented_and_no_other() =>
        AssertSame(
            Repository.CSharpFiles
                .Where(static file => file.StartsWith("src/Arrakis.Ctl/Commands/", StringComparison.Ordinal))
                .SelectMany(static file => CommandName().Matches(Repository.Read(file)))
                .Select(static match => match.Groups[1].Value),
            Table("## arrakisctl"));

    private static void AssertSame(IEnumerable<string> code, IEnumerable<string> page)
    {
        string[] names = [.. code];
        Assert.NotEmpty(names);
        Assert.Equal(names.Order(StringComparer.Ordinal), page.Order(StringComparer.Ordinal));
    }

    // Public settable properties of a record, as JSON names them.
    private static IEnumerable<string> Members(string file, string record)
    {
        string code = Repository.Read(file);
        Match start = Regex.Match(code, $@"record {record}\b[^{{;]*\{{", RegexOptions.None, TimeSpan.FromSeconds(10));
        Assert.True(start.Success, $"{file} has no record {record}.");
        string body = code[start.Index..code.IndexOf("\n}", start.Index, StringComparison.Ordinal)];
        return Property().Matches(body).Select(static match => match.Groups[1].Value).Select(static name => name[..1].ToLower(CultureInfo.InvariantCulture) + name[1..]);
    }

    private static IEnumerable<string> EnumNames(string file, string name)
    {
        string code = Repository.Read(file);
        int start = code.IndexOf($"enum {name}\n", StringComparison.Ordinal);
        Assert.True(start >= 0, $"{file} has no enum {name}.");
        return EnumName().Matches(code[start..code.IndexOf("\n}", start, StringComparison.Ordinal)]).Select(static match => match.Groups[1].Value);
    }

    /// <summary>First cells of all tables below a heading, up to the next heading.</summary>
    private static IEnumerable<string> Table(string heading) => Rows(Section(heading));

    private static IEnumerable<string> Rows(string text) => Row().Matches(text).Select(static match => match.Groups["name"].Value);

    private static string Section(string heading)
    {
        string page = Repository.Read(Page);
        int start = page.IndexOf($"\n{heading}\n", StringComparison.Ordinal);
        Assert.True(start >= 0, $"{Page} has no heading '{heading}'.");
        start += heading.Length + 2;
        int end = page.IndexOf("\n#", start, StringComparison.Ordinal);
        return end < 0 ? page[start..] : page[start..end];
    }

    [GeneratedRegex(@"^    public (?:required )?[\w.<>?]+ (\w+) \{ get; (?:set|init); \}", RegexOptions.Multiline)]
    private static partial Regex Property();

    [GeneratedRegex(@"^    (\w+)(?: = \d+)?,$", RegexOptions.Multiline)]
    private static partial Regex EnumName();

    [GeneratedRegex(@"^    \w+ = (\d+),$", RegexOptions.Multiline)]
    private static partial Regex EnumValue();

    [GeneratedRegex(@"DropReason\.\w+ => ""([a-z-]+)""")]
    private static partial Regex DropName();

    [GeneratedRegex(@"BlockRefusal\.\w+ => ""([a-z-]+)""")]
    private static partial Regex RefusalName();

    [GeneratedRegex(@"ConfigurationFault = (\d+);")]
    private static partial Regex ConfigurationFault();

    [GeneratedRegex(@"new\(""(--[a-z-]+)""\)")]
    private static partial Regex Option();

    [GeneratedRegex(@"(?:commands\.Create|new Command)\(\s*""([a-z]+)""")]
    private static partial Regex CommandName();

    // "| `name` | ..." or "| 78 | ...": neither the head of a table nor its rule.
    [GeneratedRegex(@"^\| (?:`(?<name>[^`]+)`|(?<name>\d+)) \|", RegexOptions.Multiline)]
    private static partial Regex Row();
}
