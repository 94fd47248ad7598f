namespace Arrakis;

/// <summary>What opening a <see cref="PersistentLog"/> found.</summary>
/// <param name="Records">Records between head and end.</param>
/// <param name="Blocks">Blocks between head and end, all of them read and checked.</param>
/// <param name="WasClosed">Whether the last holder closed the log. Then every block up to the end is known to have been written.</param>
/// <param name="RepairedHeader">The address of the copy of the header that was lost or damaged and was written anew from the other; null where both were good.</param>
public sealed record LogRecovery(long Records, long Blocks, bool WasClosed, long? RepairedHeader);
