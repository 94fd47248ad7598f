using Arrakis.Contract;

namespace Arrakis.ControlPlane.Devices;

/// <summary>The words for devices that do not answer.</summary>
internal static class DeviceErrors
{
    internal static ArrakisException Unavailable(string device, string why, Exception? inner = null) =>
        new(ErrorCode.DeviceUnavailable, $"Device '{device}' {why}.", "Try again; if it stays so, see the daemon's log (journalctl -u arrakisd).", inner);

    internal static ArrakisException WithoutTester(string device) =>
        new(ErrorCode.InvalidRequest, $"Device '{device}' has no tester port.", "Name a device of kind soft.");

    internal static ArrakisException TooFewQueuePairs(string device, int has, int wanted, Exception? inner = null) =>
        new(ErrorCode.QueuesExhausted, $"Device '{device}' gives a binding {has} queue pair{(has == 1 ? "" : "s")} at most, not {wanted}.", $"Ask for {(has <= 1 ? "one" : $"up to {has}")}.", inner);

    internal static ArrakisException WithoutPackedRings(string device, Exception inner) =>
        new(ErrorCode.InvalidRequest, $"Device '{device}' does not offer packed rings (VIRTIO_F_RING_PACKED).", "Ask for split rings, or for a device that offers packed ones.", inner);
}
