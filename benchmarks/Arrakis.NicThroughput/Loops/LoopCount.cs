namespace Arrakis.NicThroughput.Loops;

/// <summary>What a loop has done.</summary>
/// <param name="Packets">Frames received or sent.</param>
/// <param name="BusyCycles">Time stamp counter cycles of the polls that moved frames.</param>
/// <param name="Wrong">Frames that were not as long as they were to be.</param>
internal record struct LoopCount(long Packets, ulong BusyCycles, long Wrong);
