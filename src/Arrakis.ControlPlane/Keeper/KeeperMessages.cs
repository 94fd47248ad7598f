using System.Text.Json.Serialization;

namespace Arrakis.ControlPlane.Keeper;

/// <summary>What the daemon asks of its keeper; SEQPACKET, one reply a request. Names and descriptors have the same order.</summary>
/// <param name="Operation">What to do.</param>
/// <param name="Names">The names concerned.</param>
internal sealed record KeeperRequest(KeeperOperation Operation, IReadOnlyList<string> Names);

/// <summary>What the keeper does.</summary>
internal enum KeeperOperation
{
    /// <summary>Keeps the descriptors beside the message; replaces.</summary>
    Put,

    /// <summary>Forgets names.</summary>
    Remove,

    /// <summary>Hands out copies, from the name after the given one on; an answer without names is the end.</summary>
    List,

    /// <summary>Ends as soon as nothing is kept.</summary>
    Goodbye,
}

/// <summary>The keeper's answer.</summary>
/// <param name="Names">The names of the descriptors beside it.</param>
/// <param name="Fault">Why it was not done.</param>
internal sealed record KeeperReply(IReadOnlyList<string> Names, string? Fault = null);

/// <summary>The JSON rules of the keeper's socket.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    MaxDepth = 8)]
[JsonSerializable(typeof(KeeperRequest))]
[JsonSerializable(typeof(KeeperReply))]
internal sealed partial class KeeperJson : JsonSerializerContext
{
    /// <summary>The largest message.</summary>
    internal const int MaxMessageLength = 16 * 1024;
}
