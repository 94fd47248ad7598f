using System.Text.Json;
using System.Text.Json.Serialization;
using Arrakis.Contract;
using Arrakis.Contract.Json;

namespace Arrakis.ControlPlane.Bindings;

/// <summary>How far a binding is, as the next daemon must know it.</summary>
internal enum RecordState
{
    /// <summary>Being made: is undone after a crash.</summary>
    Allocating,

    /// <summary>Its grant was sent: is adopted after a crash.</summary>
    Active,

    /// <summary>Asked back: is adopted, and the deadline goes on.</summary>
    RevocationRequested,

    /// <summary>Being taken down: this is finished after a crash.</summary>
    Ending,
}

/// <summary>What of a binding outlives the daemon, beside its descriptors.</summary>
internal sealed record BindingRecord
{
    /// <summary>Version of this record.</summary>
    internal const int CurrentVersion = 1;

    /// <summary>Version of this record.</summary>
    public required int Version { get; init; }

    /// <summary>How far it is.</summary>
    public required RecordState State { get; init; }

    /// <summary>The grant.</summary>
    public required BindingGrant Grant { get; init; }

    /// <summary>Filter.</summary>
    public required IReadOnlyList<FilterRule> Filter { get; init; }

    /// <summary>Where a storage area's blocks are on its device, in their order.</summary>
    public IReadOnlyList<BlockExtent> Extents { get; set; } = [];

    /// <summary>Holder's process.</summary>
    public required int ProcessId { get; init; }

    /// <summary>Holder's user.</summary>
    public required uint UserId { get; init; }

    /// <summary>Holder's program.</summary>
    public required string Executable { get; init; }

    /// <summary>The rule of the policy that allowed it.</summary>
    public required string Rule { get; init; }

    /// <summary>When it was bound.</summary>
    public required DateTimeOffset BoundAt { get; init; }

    /// <summary>The kernel's number of its IOMMU domain; of devices that have one.</summary>
    public uint DomainId { get; set; }

    /// <summary>CLOCK_MONOTONIC nanoseconds of a visible revocation's deadline.</summary>
    public long DeadlineNanoseconds { get; set; }

    /// <summary>How it ends.</summary>
    public BindingState EndState { get; set; }

    internal byte[] Encode() => JsonSerializer.SerializeToUtf8Bytes(this, RecordJson.Default.BindingRecord);

    /// <summary>Reads a record; null where it makes no sense.</summary>
    internal static BindingRecord? TryDecode(ReadOnlySpan<byte> text)
    {
        try
        {
            return JsonSerializer.Deserialize(text, RecordJson.Default.BindingRecord) is { Version: CurrentVersion } record ? record : null;
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or InvalidOperationException or ArgumentException)
        {
            return null;
        }
    }
}

/// <summary>What the daemon remembers beside bindings, so that ids and generations are never given twice.</summary>
internal sealed record LedgerRecord
{
    /// <summary>The last binding's id.</summary>
    public required ulong LastBindingId { get; init; }

    /// <summary>Generations of each device's virtual functions.</summary>
    public required Dictionary<string, uint[]> Generations { get; init; }

    internal byte[] Encode() => JsonSerializer.SerializeToUtf8Bytes(this, RecordJson.Default.LedgerRecord);

    internal static LedgerRecord? TryDecode(ReadOnlySpan<byte> text)
    {
        try
        {
            return JsonSerializer.Deserialize(text, RecordJson.Default.LedgerRecord);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or InvalidOperationException or ArgumentException)
        {
            return null;
        }
    }
}

/// <summary>Tells grants apart by what only one kind has: records of a daemon that knew NICs alone name no kind.</summary>
internal sealed class BindingGrantConverter : JsonConverter<BindingGrant>
{
    /// <inheritdoc/>
    public override BindingGrant? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        HasArea(reader)
            ? JsonSerializer.Deserialize(ref reader, RecordJson.Default.StorageGrant)
            : JsonSerializer.Deserialize(ref reader, RecordJson.Default.Grant);

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, BindingGrant value, JsonSerializerOptions options)
    {
        if (value is StorageGrant storage)
        {
            JsonSerializer.Serialize(writer, storage, RecordJson.Default.StorageGrant);
        }
        else
        {
            JsonSerializer.Serialize(writer, (Grant)value, RecordJson.Default.Grant);
        }
    }

    // The reader is a copy: it looks ahead.
    private static bool HasArea(Utf8JsonReader ahead)
    {
        int depth = ahead.CurrentDepth + 1;
        while (ahead.Read() && ahead.CurrentDepth >= depth)
        {
            if (ahead.TokenType == JsonTokenType.PropertyName && ahead.CurrentDepth == depth && ahead.ValueTextEquals("area"u8))
            {
                return true;
            }
        }

        return false;
    }
}

/// <summary>The JSON rules of records.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    MaxDepth = 16,
    Converters = [typeof(MacAddressConverter), typeof(Ipv4AddressConverter), typeof(Ipv4PrefixConverter), typeof(BindingGrantConverter)])]
[JsonSerializable(typeof(BindingRecord))]
[JsonSerializable(typeof(Grant))]
[JsonSerializable(typeof(StorageGrant))]
[JsonSerializable(typeof(LedgerRecord))]
internal sealed partial class RecordJson : JsonSerializerContext;
