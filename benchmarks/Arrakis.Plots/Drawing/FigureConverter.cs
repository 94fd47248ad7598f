using System.Text.Json;
using System.Text.Json.Serialization;

namespace Arrakis.Plots.Drawing;

/// <summary>Reads a measured figure: what is negative, infinite or beyond all measuring cannot be drawn, and nobody has measured it.</summary>
internal sealed class FigureConverter : JsonConverter<double>
{
    private const double Largest = 1e15;

    /// <inheritdoc/>
    public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.GetDouble() is >= 0 and <= Largest and var figure ? figure : throw new JsonException("A figure is not between 0 and 10^15.");

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options) => writer.WriteNumberValue(value);
}
