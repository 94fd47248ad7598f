using System.Text.Json;
using Arrakis.ControlPlane.Hosting;

namespace Arrakis.ControlPlane.Policy;

/// <summary>Reads policy files.</summary>
internal static class PolicyFile
{
    /// <summary>Reads a file.</summary>
    /// <exception cref="PolicyException">It cannot be read; says where.</exception>
    internal static PolicyDocument Read(string path)
    {
        try
        {
            return Parse(File.ReadAllBytes(path), path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new PolicyException($"{path}: {e.Message}", e);
        }
    }

    /// <summary>Reads text; <paramref name="path"/> is only named in errors.</summary>
    /// <exception cref="PolicyException">It cannot be read; says where.</exception>
    internal static PolicyDocument Parse(ReadOnlySpan<byte> text, string path)
    {
        try
        {
            return JsonSerializer.Deserialize(text, PolicyJson.Default.PolicyDocument) ?? throw new JsonException("The file is null; write an object.");
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or InvalidOperationException or ArgumentException or FormatException or OverflowException)
        {
            throw new PolicyException(JsonPlace.Describe(path, e), e);
        }
    }
}

/// <summary>The policy file cannot be read; the message begins with path(line,column).</summary>
internal sealed class PolicyException(string message, Exception? inner = null) : Exception(message, inner);
