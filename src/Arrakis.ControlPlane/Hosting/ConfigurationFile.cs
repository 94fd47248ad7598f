using System.Text.Json;
using System.Text.Json.Serialization;
using Arrakis.Contract.Json;

namespace Arrakis.ControlPlane.Hosting;

/// <summary>Reads arrakisd.json; comments and trailing commas are allowed, unknown members are not.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false,
    AllowOutOfOrderMetadataProperties = true,
    RespectNullableAnnotations = true,
    ReadCommentHandling = JsonCommentHandling.Skip,
    AllowTrailingCommas = true,
    MaxDepth = 16,
    Converters = [typeof(MacAddressConverter), typeof(Ipv4AddressConverter), typeof(Ipv4PrefixConverter)])]
[JsonSerializable(typeof(DaemonOptions))]
internal sealed partial class ConfigurationJson : JsonSerializerContext;

/// <summary>The configuration file.</summary>
internal static class ConfigurationFile
{
    /// <summary>Reads the file.</summary>
    /// <exception cref="ConfigurationException">It cannot be read; says where.</exception>
    internal static DaemonOptions Read(string path)
    {
        byte[] text;
        try
        {
            text = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"{path}: {e.Message}", e);
        }

        try
        {
            return JsonSerializer.Deserialize(text, ConfigurationJson.Default.DaemonOptions) ?? throw new JsonException("The file is null; write an object.");
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or InvalidOperationException)
        {
            throw new ConfigurationException(JsonPlace.Describe(path, e), e);
        }
    }
}

/// <summary>The configuration is wrong.</summary>
internal sealed class ConfigurationException(string message, Exception? inner = null) : Exception(message, inner);
