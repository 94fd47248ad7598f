using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Arrakis.Contract.Json;
using Arrakis.Ctl.Doctor;
using Arrakis.Ctl.Load;

namespace Arrakis.Ctl.Output;

/// <summary>The rows that are arrakisctl's own; everything else is written as the contract writes it.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(FunctionRow[]))]
[JsonSerializable(typeof(CounterRow[]))]
[JsonSerializable(typeof(RevocationRow))]
[JsonSerializable(typeof(AreaDeletionRow))]
[JsonSerializable(typeof(ErrorRow))]
[JsonSerializable(typeof(LoadReport))]
[JsonSerializable(typeof(DoctorReport))]
internal sealed partial class CtlJson : JsonSerializerContext;

/// <summary>JSON for people and scripts.</summary>
internal static class IndentedJson
{
    internal static CtlJson Ctl { get; } = new(ForReading(CtlJson.Default));

    internal static ContractJson Contract { get; } = new(ForReading(ContractJson.Default));

    // No HTML is made of it, so quotes and letters stay as they are.
    private static JsonSerializerOptions ForReading(JsonSerializerContext context) =>
        new(context.Options) { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
}
