using System.Text.Json;
using System.Text.Json.Serialization;

namespace Arrakis.Contract.Json;

/// <summary>Writes an enum by its name, and reads one name only: a number or a list of names might be no member at all.</summary>
internal sealed class NamedEnumConverter<T> : JsonConverter<T>
    where T : struct, Enum
{
    private static readonly Dictionary<string, T> Members =
        Enum.GetNames<T>().ToDictionary(name => name, Enum.Parse<T>, StringComparer.OrdinalIgnoreCase);

    /// <inheritdoc/>
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && Members.TryGetValue(reader.GetString()!, out T value)
            ? value
            : throw new JsonException($"Expected one of: {string.Join(", ", Enum.GetNames<T>())}.");

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
        writer.WriteStringValue(Enum.GetName(value) ?? throw new JsonException($"{value} is no member of {typeof(T).Name}."));
}
