namespace Arrakis.DataPlane.Memory;

/// <summary>A buffer on its way into a virtqueue.</summary>
/// <param name="Address">The device's address of its first byte.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Id">The free descriptor that it takes; what the device gives back names it.</param>
/// <param name="Flags">NEXT where the buffer goes on in the descriptor that follows, WRITE where the device writes it, INDIRECT for a table.</param>
internal readonly record struct BufferDescriptor(Iova Address, uint Length, ushort Id, ushort Flags);
