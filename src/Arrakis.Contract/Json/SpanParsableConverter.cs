using System.Text.Json;
using System.Text.Json.Serialization;
using Arrakis.Wire;

namespace Arrakis.Contract.Json;

/// <summary>Writes an address as the string that it parses from.</summary>
public abstract class SpanParsableConverter<T> : JsonConverter<T>
    where T : struct, ISpanParsable<T>
{
    /// <inheritdoc/>
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && T.TryParse(reader.GetString(), null, out T value)
            ? value
            : throw new JsonException($"Expected a string that is a {typeof(T).Name}.");

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}

/// <summary>Writes a MAC address as a string.</summary>
public sealed class MacAddressConverter : SpanParsableConverter<MacAddress>;

/// <summary>Writes an IPv4 address as a string.</summary>
public sealed class Ipv4AddressConverter : SpanParsableConverter<Ipv4Address>;

/// <summary>Writes an address with its prefix length as a string.</summary>
public sealed class Ipv4PrefixConverter : SpanParsableConverter<Ipv4Prefix>;
