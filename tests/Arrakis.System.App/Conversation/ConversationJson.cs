using System.Text.Json.Serialization;

namespace Arrakis.SystemApp.Conversation;

/// <summary>Orders, commands and reports as JSON, by generated code: compiled ahead of time there is no other.</summary>
[JsonSerializable(typeof(FilteredEchoOrder))]
[JsonSerializable(typeof(FilteredStorageOrder))]
[JsonSerializable(typeof(EchoOrder))]
[JsonSerializable(typeof(QueueEchoOrder))]
[JsonSerializable(typeof(FloodOrder))]
[JsonSerializable(typeof(HostileOrder))]
[JsonSerializable(typeof(SpoofOrder))]
[JsonSerializable(typeof(ChurnOrder))]
[JsonSerializable(typeof(KernelClientOrder))]
[JsonSerializable(typeof(KernelEchoOrder))]
[JsonSerializable(typeof(ArpOrder))]
[JsonSerializable(typeof(TcpStreamOrder))]
[JsonSerializable(typeof(KernelTransferOrder))]
[JsonSerializable(typeof(RingTransferOrder))]
[JsonSerializable(typeof(TransferCommand))]
[JsonSerializable(typeof(Report))]
internal sealed partial class ConversationJson : JsonSerializerContext;
