using Arrakis.Native;

namespace Arrakis.SoftDevice.Vhost;

/// <summary>Tells eventfds from other descriptors, which could block or do worse when they are written.</summary>
internal static class EventKind
{
    private const string EventFdLink = "anon_inode:[eventfd]";

    /// <summary>Whether a descriptor is an eventfd.</summary>
    public static bool IsEventFd(Descriptor descriptor) =>
        new FileInfo($"/proc/self/fd/{descriptor.Number}").LinkTarget == EventFdLink;
}
