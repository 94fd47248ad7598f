namespace Arrakis.DataPlane.Tests.Rings.Engine;

/// <summary>A buffer that a driver made available.</summary>
/// <param name="Start">The offset of its first byte in queue memory.</param>
/// <param name="Length">Bytes.</param>
/// <param name="IsWritable">Whether the device may write it.</param>
internal readonly record struct DevicePart(long Start, int Length, bool IsWritable);

/// <summary>A chain of them that the device has taken.</summary>
/// <param name="Id">The name under which it is given back.</param>
/// <param name="Descriptors">Descriptors that it takes in the ring.</param>
/// <param name="First">The first buffer.</param>
/// <param name="More">The others.</param>
/// <param name="Table">Where its indirect table is, or -1.</param>
internal readonly record struct DeviceChain(ushort Id, int Descriptors, DevicePart First, DevicePart[] More, long Table);
