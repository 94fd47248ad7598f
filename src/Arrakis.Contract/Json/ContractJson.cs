using System.Text.Json.Serialization;
using Arrakis.Contract.Control;
using Arrakis.Contract.Device;
using Arrakis.Wire.Rings;

namespace Arrakis.Contract.Json;

/// <summary>The one set of JSON rules of the contract: unknown and repeated members, missing required ones and deep nesting are refused.</summary>
/// <remarks>
/// Members with a default have setters, not initializers: the generated code sets every init-only member, and one that is
/// missing in the message would lose its default.
/// </remarks>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    MaxDepth = 16,
    Converters =
    [
        typeof(MacAddressConverter),
        typeof(Ipv4AddressConverter),
        typeof(Ipv4PrefixConverter),
        typeof(NamedEnumConverter<ErrorCode>),
        typeof(NamedEnumConverter<BindingState>),
        typeof(NamedEnumConverter<RevocationMode>),
        typeof(NamedEnumConverter<ArrivalSpacing>),
        typeof(NamedEnumConverter<FilterDirection>),
        typeof(NamedEnumConverter<FilterProtocol>),
        typeof(NamedEnumConverter<RingFormat>),
        typeof(NamedEnumConverter<QueueDirection>),
        typeof(NamedEnumConverter<AreaAccess>),
    ])]
[JsonSerializable(typeof(ControlRequest))]
[JsonSerializable(typeof(ControlReply))]
[JsonSerializable(typeof(DeviceRequest))]
[JsonSerializable(typeof(DeviceReply))]
[JsonSerializable(typeof(Grant))]
[JsonSerializable(typeof(StorageGrant))]
[JsonSerializable(typeof(FilterRule))]
public sealed partial class ContractJson : JsonSerializerContext;
