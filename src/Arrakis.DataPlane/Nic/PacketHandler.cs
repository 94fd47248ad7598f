namespace Arrakis;

/// <summary>Handles a batch of received packets.</summary>
/// <param name="received">The packets; valid until the handler returns.</param>
/// <param name="transmit">Where replies go. The device is told of them when the handler has returned.</param>
public delegate void PacketHandler(PacketBatch received, TransmitQueue transmit);
