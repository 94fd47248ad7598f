using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Arrakis.Measuring.Report;

/// <summary>The JSON file that a benchmark leaves.</summary>
public static class ResultFile
{
    /// <summary>Writes a value as a file's whole content; a reader sees the old file or the new one, never a part.</summary>
    /// <param name="path">The file; its folder is made where it is not there.</param>
    /// <param name="value">What to write.</param>
    /// <param name="type">How it is written.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static void Write<T>(string path, T value, JsonTypeInfo<T> type)
    {
        _ = Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        string temporary = $"{path}.{Environment.ProcessId}";
        File.WriteAllText(temporary, JsonSerializer.Serialize(value, type) + "\n");
        File.Move(temporary, path, overwrite: true);
    }
}
