using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Arrakis.Contract.Control;
using Arrakis.Contract.Device;

namespace Arrakis.Contract.Json;

/// <summary>Turns messages into packets and back; what cannot be read is a typed error, never another exception.</summary>
public static class MessageCodec
{
    /// <summary>Encodes a request.</summary>
    public static byte[] Encode(ControlRequest request) => Encode(request, ContractJson.Default.ControlRequest);

    /// <summary>Encodes a reply.</summary>
    public static byte[] Encode(ControlReply reply) => Encode(reply, ContractJson.Default.ControlReply);

    /// <summary>Encodes a request to a device.</summary>
    public static byte[] Encode(DeviceRequest request) => Encode(request, ContractJson.Default.DeviceRequest);

    /// <summary>Encodes a device's reply.</summary>
    public static byte[] Encode(DeviceReply reply) => Encode(reply, ContractJson.Default.DeviceReply);

    /// <summary>Decodes a request.</summary>
    /// <exception cref="ArrakisException"><see cref="ErrorCode.MalformedMessage"/>, with the place of the fault.</exception>
    public static ControlRequest DecodeRequest(ReadOnlySpan<byte> packet) => Decode(packet, ContractJson.Default.ControlRequest);

    /// <summary>Decodes a reply.</summary>
    /// <exception cref="ArrakisException"><see cref="ErrorCode.MalformedMessage"/>, with the place of the fault.</exception>
    public static ControlReply DecodeReply(ReadOnlySpan<byte> packet) => Decode(packet, ContractJson.Default.ControlReply);

    /// <summary>Decodes a request to a device.</summary>
    /// <exception cref="ArrakisException"><see cref="ErrorCode.MalformedMessage"/>, with the place of the fault.</exception>
    public static DeviceRequest DecodeDeviceRequest(ReadOnlySpan<byte> packet) => Decode(packet, ContractJson.Default.DeviceRequest);

    /// <summary>Decodes a device's reply.</summary>
    /// <exception cref="ArrakisException"><see cref="ErrorCode.MalformedMessage"/>, with the place of the fault.</exception>
    public static DeviceReply DecodeDeviceReply(ReadOnlySpan<byte> packet) => Decode(packet, ContractJson.Default.DeviceReply);

    private static byte[] Encode<T>(T message, JsonTypeInfo<T> type)
    {
        byte[] packet = JsonSerializer.SerializeToUtf8Bytes(message, type);
        return packet.Length <= ControlProtocol.MaxMessageLength
            ? packet
            : throw new ArrakisException(
                ErrorCode.MessageTooLarge,
                $"The message has {packet.Length} bytes; the contract allows {ControlProtocol.MaxMessageLength}.",
                "Ask for less at a time.");
    }

    private static T Decode<T>(ReadOnlySpan<byte> packet, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(packet, type) ?? throw Malformed("The message is null.", null);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or InvalidOperationException or ArgumentException or FormatException or OverflowException)
        {
            throw Malformed($"The message cannot be read: {e.Message}", e);
        }
    }

    private static ArrakisException Malformed(string cause, Exception? inner) =>
        new(ErrorCode.MalformedMessage, cause, $"Send one JSON object of contract version {ControlProtocol.Version} in each packet.", inner);
}
