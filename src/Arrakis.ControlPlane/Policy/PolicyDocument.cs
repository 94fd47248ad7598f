using System.Text.Json;
using System.Text.Json.Serialization;
using Arrakis.Contract;
using Arrakis.Contract.Json;
using Arrakis.Wire;
using Arrakis.Wire.Rings;

namespace Arrakis.ControlPlane.Policy;

/// <summary>The policy file: what no rule allows is denied.</summary>
internal sealed record PolicyDocument : IJsonOnDeserialized
{
    /// <summary>Rules; the first that allows a request grants it.</summary>
    public required IReadOnlyList<PolicyRule> Rules { get; init; }

    /// <summary>Checks the list; the reader adds its place.</summary>
    public void OnDeserialized()
    {
        if (Rules.Any(static rule => rule is null))
        {
            throw new JsonException("A rule is null; write an object.");
        }
    }
}

/// <summary>
/// One rule. All matchers that are there must match the requesting process; what it then may have follows. Totals count
/// all live bindings of the user.
/// </summary>
internal sealed record PolicyRule : IJsonOnDeserialized
{
    /// <summary>Shown in the log and in refusals.</summary>
    public required string Name { get; init; }

    /// <summary>Matches every process.</summary>
    public bool Anyone { get; set; }

    /// <summary>Matches by user number.</summary>
    public uint? Uid { get; set; }

    /// <summary>Matches by user name in /etc/passwd.</summary>
    public string? User { get; set; }

    /// <summary>Matches by group number, supplementary groups included.</summary>
    public uint? Gid { get; set; }

    /// <summary>Matches by group name in /etc/group, supplementary groups included.</summary>
    public string? Group { get; set; }

    /// <summary>Matches by the program: the file that this path leads to, as the daemon sees it.</summary>
    public string? Executable { get; set; }

    /// <summary>Devices by name; "*" is all.</summary>
    public IReadOnlyList<string> Devices { get; set; } = [];

    /// <summary>Total of virtual functions.</summary>
    public int VirtualFunctions { get; set; } = 1;

    /// <summary>Descriptors in each ring.</summary>
    public int QueueSize { get; set; } = 1024;

    /// <summary>Total bytes of queue memory.</summary>
    public long MemoryBytes { get; set; } = 64L << 20;

    /// <summary>Total sending rate; null is no limit.</summary>
    public long? RateBitsPerSecond { get; set; }

    /// <summary>Burst of a rate that the request leaves open; where the rate is limited, also the largest that may be asked for.</summary>
    public int BurstBytes { get; set; } = 64 * 1024;

    /// <summary>Hardware addresses that may be asked for.</summary>
    public MacRule Macs { get; set; } = MacRule.None;

    /// <summary>Networks that addresses may be of; empty allows the device's.</summary>
    public IReadOnlyList<Ipv4Prefix> Addresses { get; set; } = [];

    /// <summary>Storage areas that may be bound, by name; "*" in a name stands for any letters.</summary>
    public IReadOnlyList<string> Areas { get; set; } = [];

    /// <summary>What may be done with them; that the area's owner allows it too is another matter.</summary>
    public AreaAccess AreaAccess { get; set; } = AreaAccess.ReadWrite;

    /// <summary>Total bytes of storage areas of these names that the user may make for itself.</summary>
    public long AreaBytes { get; set; }

    /// <summary>May list everything, revoke, run tests, and make and change storage areas for anybody.</summary>
    public bool Administrator { get; set; }

    /// <summary>Checks the rule as a whole; the reader adds its place.</summary>
    public void OnDeserialized()
    {
        bool matches = Uid is not null || User is not null || Gid is not null || Group is not null || Executable is not null;
        Require(Devices.All(static device => device is not null), "A device is null; write its name.");
        Require(!string.IsNullOrWhiteSpace(Name), "name is empty; rules are named so that the log can say which one allowed a request.");
        Require(matches || Anyone, $"rule '{Name}' matches nobody; give it uid, user, gid, group or executable, or \"anyone\": true.");
        Require(!(matches && Anyone), $"rule '{Name}' has \"anyone\": true beside other matchers; drop one of them.");
        Require(User is null || UserDirectory.FindUser(User) is not null, $"rule '{Name}': there is no user '{User}' in /etc/passwd; write its uid if it is elsewhere.");
        Require(Group is null || UserDirectory.FindGroup(Group) is not null, $"rule '{Name}': there is no group '{Group}' in /etc/group; write its gid if it is elsewhere.");
        Require(Executable is null || Executable.StartsWith('/'), $"rule '{Name}': executable '{Executable}' is not an absolute path.");
        Require(Devices.Count > 0 || Administrator, $"rule '{Name}' allows nothing; name devices, or make it an administrator's.");
        Require(Areas.All(static area => !string.IsNullOrEmpty(area)), $"rule '{Name}': a name of storage areas is null or empty; write a name such as \"logs-*\".");
        Require(AreaBytes >= 0, $"rule '{Name}': areaBytes is negative.");
        Require(AreaBytes == 0 || Areas.Count > 0, $"rule '{Name}' gives areaBytes and names no areas; name those that may be made.");
        Require(VirtualFunctions >= 0, $"rule '{Name}': virtualFunctions is negative.");
        Require(RingLayout.IsValidQueueSize(QueueSize), $"rule '{Name}': queueSize {QueueSize} is not a power of two from 2 to 32768.");
        Require(MemoryBytes >= 0, $"rule '{Name}': memoryBytes is negative.");
        Require(RateBitsPerSecond is null or > 0, $"rule '{Name}': rateBitsPerSecond is not positive; leave it out for no limit.");
        Require(BurstBytes >= 2048, $"rule '{Name}': burstBytes {BurstBytes} is below 2048, one buffer.");
    }

    private static void Require(bool condition, string fault)
    {
        if (!condition)
        {
            throw new JsonException(fault);
        }
    }
}

/// <summary>Which hardware addresses may be asked for.</summary>
/// <param name="Kind">Any unicast, any locally administered, those of a list, or none: then the daemon chooses.</param>
/// <param name="List">The list.</param>
internal sealed record MacRule(MacRuleKind Kind, IReadOnlyList<MacAddress> List)
{
    internal static MacRule None { get; } = new(MacRuleKind.None, []);

    internal bool Allows(MacAddress mac) => Kind switch
    {
        MacRuleKind.Any => true,
        MacRuleKind.Local => (mac.Value >> 41 & 1) != 0,
        MacRuleKind.Listed => List.Contains(mac),
        _ => false,
    };
}

/// <summary>Kinds of <see cref="MacRule"/>.</summary>
internal enum MacRuleKind
{
    None,
    Any,
    Local,
    Listed,
}

/// <summary>Reads "any", "local" or a list of addresses.</summary>
internal sealed class MacRuleConverter : JsonConverter<MacRule>
{
    /// <inheritdoc/>
    public override MacRule Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            return reader.GetString() switch
            {
                "any" => new MacRule(MacRuleKind.Any, []),
                "local" => new MacRule(MacRuleKind.Local, []),
                _ => throw new JsonException("Write \"any\", \"local\" or a list of MAC addresses."),
            };
        }

        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw new JsonException("Write \"any\", \"local\" or a list of MAC addresses.");
        }

        List<MacAddress> list = [];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            list.Add(reader.TokenType == JsonTokenType.String && MacAddress.TryParse(reader.GetString(), null, out MacAddress mac) && mac.IsUnicast
                ? mac
                : throw new JsonException("Expected a unicast MAC address such as \"02:00:00:00:00:01\"."));
        }

        return new MacRule(MacRuleKind.Listed, list);
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, MacRule value, JsonSerializerOptions options)
    {
        if (value.Kind != MacRuleKind.Listed)
        {
            writer.WriteStringValue(value.Kind == MacRuleKind.Any ? "any" : "local");
            return;
        }

        writer.WriteStartArray();
        foreach (MacAddress mac in value.List)
        {
            writer.WriteStringValue(mac.ToString());
        }

        writer.WriteEndArray();
    }
}

/// <summary>The JSON rules of the policy file.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    ReadCommentHandling = JsonCommentHandling.Skip,
    AllowTrailingCommas = true,
    MaxDepth = 16,
    Converters = [typeof(Ipv4PrefixConverter), typeof(MacRuleConverter)])]
[JsonSerializable(typeof(PolicyDocument))]
internal sealed partial class PolicyJson : JsonSerializerContext;
