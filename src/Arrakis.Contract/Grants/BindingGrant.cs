using System.Text.Json.Serialization;

namespace Arrakis.Contract;

/// <summary>What the grants of all kinds of binding say.</summary>
public abstract record BindingGrant
{
    /// <summary>Place of the queue memory among the descriptors.</summary>
    public const int MemoryDescriptor = 0;

    /// <summary>Place of the status page (read-only) among the descriptors.</summary>
    public const int StatusDescriptor = 1;

    /// <summary>Place of the first queue's event eventfd, which the device raises towards the application.</summary>
    public const int EventDescriptor = 2;

    /// <summary>The binding.</summary>
    [JsonPropertyOrder(-5)]
    public required ulong BindingId { get; init; }

    /// <summary>Grows each time a virtual function goes to a new holder.</summary>
    [JsonPropertyOrder(-4)]
    public required uint Generation { get; init; }

    /// <summary>The device's name in the daemon's configuration.</summary>
    [JsonPropertyOrder(-3)]
    public required string Device { get; init; }

    /// <summary>The virtual function's index in the device.</summary>
    [JsonPropertyOrder(-2)]
    public required int VirtualFunction { get; init; }

    /// <summary>Queue memory.</summary>
    [JsonPropertyOrder(-1)]
    public required MemoryGrant Memory { get; init; }
}
