using Arrakis.Native;
using Arrakis.SoftDevice.Memory;
using Arrakis.SoftDevice.Rings;

namespace Arrakis.SoftDevice.Ports.Vf;

/// <summary>A running ring and the eventfds that its driver is woken by.</summary>
/// <param name="Ring">The ring.</param>
/// <param name="Memory">The memory that it lies in.</param>
/// <param name="Call">None where the driver polls.</param>
/// <param name="Error">Raised when the ring breaks; none where the driver does not care.</param>
/// <param name="HasDoorbell">Whether the driver can ring; a ring without is polled always.</param>
internal sealed record RunningRing(SplitDeviceRing Ring, MemoryTable Memory, Descriptor? Call, Descriptor? Error, bool HasDoorbell);
