using System.Text.Json.Serialization;
using Arrakis.Contract;

namespace Arrakis.SystemApp.Conversation;

/// <summary>What a role tells who started it, a line each.</summary>
[JsonPolymorphic]
[JsonDerivedType(typeof(BoundReport), "bound")]
[JsonDerivedType(typeof(FilteredReport), "filtered")]
[JsonDerivedType(typeof(ProofReport), "proof")]
[JsonDerivedType(typeof(RevokedReport), "revoked")]
[JsonDerivedType(typeof(GivenBackReport), "given-back")]
[JsonDerivedType(typeof(AskedReport), "asked")]
[JsonDerivedType(typeof(StateReport), "state")]
[JsonDerivedType(typeof(QueuesReport), "queues")]
[JsonDerivedType(typeof(RefusalReport), "refusal")]
[JsonDerivedType(typeof(DoneReport), "done")]
[JsonDerivedType(typeof(ArpReport), "arp")]
[JsonDerivedType(typeof(ListeningReport), "listening")]
[JsonDerivedType(typeof(StreamReport), "stream")]
[JsonDerivedType(typeof(FailureReport), "failure")]
public abstract record Report;

/// <summary>A binding is there and served.</summary>
public sealed record BoundReport(ulong Binding, uint Generation, int Function, string Mac, string Address, long MemoryLength, int PageSize) : Report;

/// <summary>The polling thread is under the filter.</summary>
public sealed record FilteredReport(int Thread) : Report;

/// <summary>What the polling thread did under the filter.</summary>
public sealed record ProofReport(long Datagrams, long AllocatedBefore, long AllocatedAfter) : Report;

/// <summary>A binding was taken.</summary>
public sealed record RevokedReport(ulong Binding, uint Generation, BindingState State, IReadOnlyList<RepossessionEntry> Repossessed) : Report;

/// <summary>A binding was given back.</summary>
public sealed record GivenBackReport(ulong Binding) : Report;

/// <summary>A binding was asked back.</summary>
public sealed record AskedReport(ulong Binding, ResourceKind Kind, uint Units, double RemainingMilliseconds) : Report;

/// <summary>A binding as its holder sees it.</summary>
public sealed record StateReport(ulong Binding, bool LinkUp, uint LinkEpoch, long FramesReceived, long DatagramsDelivered, long ForeignFrames) : Report;

/// <summary>How many datagrams each queue got, how many came to another than the grant's steering says, and what all queues got together.</summary>
public sealed record QueuesReport(IReadOnlyList<long> Datagrams, long Misplaced, long Delivered, bool LinkUp, uint LinkEpoch) : Report;

/// <summary>What the kernel said to a forbidden change of the memory file.</summary>
public sealed record RefusalReport(string Change, int Errno) : Report;

/// <summary>The role has done what it was to do so often.</summary>
public sealed record DoneReport(long Count) : Report;

/// <summary>Who answered ARP requests.</summary>
public sealed record ArpReport(IReadOnlyList<string> Answers) : Report;

/// <summary>The role can be sent to.</summary>
public sealed record ListeningReport : Report;

/// <summary>A stream that was sent or received as a whole, how many parts of it were sent again, and what the receiver answered.</summary>
public sealed record StreamReport(long Length, string Sha256, long Repeated = 0, string Answer = "") : Report;

/// <summary>The role failed.</summary>
public sealed record FailureReport(string What) : Report;
