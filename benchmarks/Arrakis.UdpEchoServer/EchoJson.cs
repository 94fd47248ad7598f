using System.Text.Json.Serialization;

namespace Arrakis.UdpEchoServer;

/// <summary>JSON of an echo server's order and answers.</summary>
[JsonSerializable(typeof(EchoOrder))]
[JsonSerializable(typeof(EchoReady))]
[JsonSerializable(typeof(EchoHealth))]
internal sealed partial class EchoJson : JsonSerializerContext;
