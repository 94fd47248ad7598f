using System.Text.Json.Serialization;
using Arrakis.UdpLatency.Kernel;
using Arrakis.UdpLatency.Probes;
using Arrakis.UdpLatency.Report;

namespace Arrakis.UdpLatency.Processes;

/// <summary>JSON of orders and answers between the processes of this program.</summary>
[JsonSerializable(typeof(ServerOrder))]
[JsonSerializable(typeof(ClientOrder))]
[JsonSerializable(typeof(ProbeOrder))]
[JsonSerializable(typeof(ProbeReport))]
[JsonSerializable(typeof(ServingThread))]
[JsonSerializable(typeof(Measurement))]
internal sealed partial class RoleJson : JsonSerializerContext;

/// <summary>A server's answer: it takes requests on this thread.</summary>
internal sealed record ServingThread(int Id);
