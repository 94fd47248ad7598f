using Arrakis.SoftDevice.Blocks;
using Arrakis.SoftDevice.Polling;

namespace Arrakis.SoftDevice.Management;

/// <summary>How a device process is started.</summary>
/// <param name="Directory">Where its sockets are.</param>
/// <param name="Functions">Virtual functions.</param>
/// <param name="Processor">Core of the polling thread; null lets the kernel choose.</param>
/// <param name="Idle">What the polling thread does when nothing comes.</param>
/// <param name="MaxQueueSize">The longest ring that is taken.</param>
/// <param name="Blocks">Block functions; null where there are none.</param>
internal sealed record DeviceOptions(string Directory, int Functions, int? Processor, IdlePolicy Idle, int MaxQueueSize, BlockOptions? Blocks = null);
