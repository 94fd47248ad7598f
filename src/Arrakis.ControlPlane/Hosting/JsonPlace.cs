using System.Text.Json;

namespace Arrakis.ControlPlane.Hosting;

/// <summary>Says where in a file JSON is wrong, as compilers do: path(line,column): what.</summary>
internal static class JsonPlace
{
    internal static string Describe(string path, Exception fault)
    {
        string text = fault.Message;
        int tail = text.IndexOf(" Path: ", StringComparison.Ordinal);
        if (tail >= 0)
        {
            text = text[..tail];
        }

        // The reader counts from zero, editors from one.
        return fault is JsonException { LineNumber: { } line, BytePositionInLine: { } column } json
            ? $"{path}({line + 1},{column + 1}): {text}{(string.IsNullOrEmpty(json.Path) || json.Path == "$" ? "" : $" (at {json.Path})")}"
            : $"{path}: {text}";
    }
}
