using System.Text.Json;
using System.Text.Json.Serialization;
using Arrakis.Native.Pci;

namespace Arrakis.ControlPlane.Devices.Pci;

/// <summary>What a function was before it was bound to vfio-pci.</summary>
internal sealed record FunctionChange
{
    /// <summary>Where it is.</summary>
    public required PciAddress Address { get; init; }

    /// <summary>Who made it; another device may sit there later.</summary>
    public required ushort VendorId { get; init; }

    /// <summary>What it is.</summary>
    public required ushort DeviceId { get; init; }

    /// <summary>Its driver; null for none.</summary>
    public string? Driver { get; init; }

    /// <summary>Its driver_override; null for none.</summary>
    public string? DriverOverride { get; init; }
}

/// <summary>What a physical function was before its number of virtual functions was changed.</summary>
internal sealed record SriovChange
{
    /// <summary>Where it is.</summary>
    public required PciAddress Address { get; init; }

    /// <summary>How many virtual functions it had.</summary>
    public required int FunctionCount { get; init; }

    /// <summary>Whether drivers were asked whether they want new ones; null where the kernel has no such switch.</summary>
    public bool? DriversAutoprobe { get; init; }
}

/// <summary>All that the daemon has changed on the PCI bus and has not put back.</summary>
internal sealed record PciChangeRecord
{
    /// <summary>Version of this record.</summary>
    internal const int CurrentVersion = 1;

    /// <summary>Version of this record.</summary>
    public required int Version { get; init; }

    /// <summary>The boot that it was written in: the next one starts with nothing changed.</summary>
    public required string BootId { get; init; }

    /// <summary>Functions that were bound to vfio-pci.</summary>
    public required IReadOnlyList<FunctionChange> Functions { get; init; }

    /// <summary>Physical functions whose number of virtual functions was changed.</summary>
    public required IReadOnlyList<SriovChange> PhysicalFunctions { get; init; }

    internal byte[] Encode() => JsonSerializer.SerializeToUtf8Bytes(this, PciRecordJson.Default.PciChangeRecord);

    /// <summary>Reads a record; null where it makes no sense.</summary>
    internal static PciChangeRecord? TryDecode(ReadOnlySpan<byte> text)
    {
        try
        {
            return JsonSerializer.Deserialize(text, PciRecordJson.Default.PciChangeRecord) is { Version: CurrentVersion } record
                && record.Functions.All(static change => change is not null && IsName(change.Driver) && IsName(change.DriverOverride))
                && record.PhysicalFunctions.All(static change => change is not null && change.FunctionCount is >= 0 and <= ushort.MaxValue)
                ? record
                : null;
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or InvalidOperationException or ArgumentException)
        {
            return null;
        }
    }

    // It becomes part of a path.
    private static bool IsName(string? driver) => driver is null || (driver is not ("" or "." or "..") && driver.All(static c => c is > ' ' and <= '~' and not '/'));
}

/// <summary>A PCI address as a JSON text.</summary>
internal sealed class PciAddressConverter : JsonConverter<PciAddress>
{
    /// <inheritdoc/>
    public override PciAddress Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && PciAddress.TryParse(reader.GetString(), out PciAddress address)
            ? address
            : throw new JsonException("Not a PCI address; one looks like 0000:01:10.0.");

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, PciAddress value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}

/// <summary>The JSON rules of the record.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    MaxDepth = 8,
    Converters = [typeof(PciAddressConverter)])]
[JsonSerializable(typeof(PciChangeRecord))]
internal sealed partial class PciRecordJson : JsonSerializerContext;
