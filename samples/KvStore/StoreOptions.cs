using System.Net;

namespace Arrakis.Samples.KvStore;

/// <summary>What the command line asked for.</summary>
internal sealed record StoreOptions(string? Socket, string? Area, string? File, int FileMegabytes, IPEndPoint Listen, int? Core, IdlePolicy Idle);
