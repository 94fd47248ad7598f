using Arrakis.Contract;
using Arrakis.Native;

namespace Arrakis;

/// <summary>What grants of all kinds have to check of descriptors, registers and the parts of queue memory.</summary>
/// <param name="descriptors">What came with the grant.</param>
/// <param name="isDevice">Whether a descriptor whose link in /proc is this one is a device's.</param>
internal sealed class GrantSignals(IReadOnlyList<Descriptor> descriptors, Predicate<string?> isDevice)
{
    private const string EventFdKind = "anon_inode:[eventfd]"; // proc_pid_fd(5)

    private readonly HashSet<(int Place, bool IsRegister)> _seen = [];

    /// <summary>Checks that the places of a doorbell and an event are among the descriptors.</summary>
    /// <exception cref="InvalidGrantException">They are not.</exception>
    public static void CheckPlaces(int kick, int signal, int count)
    {
        Require(kick > BindingGrant.EventDescriptor && kick < count, $"The doorbell is descriptor {kick} of {count}.");
        Require(signal >= BindingGrant.EventDescriptor && signal < count, $"The event is descriptor {signal} of {count}.");
    }

    /// <summary>Checks that parts of queue memory do not overlap.</summary>
    /// <exception cref="InvalidGrantException">Two do.</exception>
    public static void CheckApart(List<(long Start, long End)> parts)
    {
        parts.Sort();
        for (int i = 1; i < parts.Count; i++)
        {
            Require(parts[i].Start >= parts[i - 1].End, $"Parts of queue memory overlap at {parts[i].Start}.");
        }
    }

    /// <summary>Checks that a register is one that can be written.</summary>
    /// <exception cref="InvalidGrantException">It is not.</exception>
    public static void CheckRegister(DoorbellRegister? register) =>
        Require(
            register is null
                || (register.Width is sizeof(ushort) or sizeof(uint)
                    && register.FileOffset is >= 0 and <= DoorbellRegister.MaxFileOffset
                    && register.FileOffset % register.Width == 0),
            $"The register {register} is not 2 or 4 bytes at a multiple of that in a device's file.");

    /// <summary>Checks what a descriptor is: a doorbell that is something else would be written to all the same.</summary>
    /// <exception cref="InvalidGrantException">It is something else.</exception>
    public void CheckKind(int place, bool isRegister)
    {
        if (_seen.Add((place, isRegister)))
        {
            string? kind = new FileInfo($"/proc/self/fd/{descriptors[place].Number}").LinkTarget;
            Require(isRegister ? isDevice(kind) : kind == EventFdKind, $"Descriptor {place} is to be {(isRegister ? "a VFIO device" : "an eventfd")} and is {kind}.");
        }
    }

    private static void Require(bool condition, string message)
    {
        if (!condition)
        {
            throw new InvalidGrantException(message);
        }
    }
}
