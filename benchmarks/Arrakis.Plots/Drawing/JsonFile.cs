using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Arrakis.Plots.Drawing;

/// <summary>Reads what a benchmark has written.</summary>
internal static class JsonFile
{
    private const long LongestFile = 64 * 1024 * 1024;

    /// <summary>Reads a file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="type">What is in it.</param>
    /// <param name="writtenBy">The command that writes it.</param>
    /// <exception cref="InvalidDataException">It is not there, cannot be read, or is something else; the message says what to do.</exception>
    public static T Read<T>(FileInfo file, JsonTypeInfo<T> type, string writtenBy)
        where T : class
    {
        try
        {
            using FileStream stream = file.OpenRead();
            if (stream.Length > LongestFile)
            {
                throw new InvalidDataException($"{file} has {stream.Length} bytes; what {writtenBy} writes has at most {LongestFile}.");
            }

            return JsonSerializer.Deserialize(stream, type) ?? throw new InvalidDataException($"{file} is empty; {writtenBy} writes it.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{file} is not what {writtenBy} writes: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidDataException($"{file} cannot be read ({e.Message}); {writtenBy} writes it.", e);
        }
    }
}
