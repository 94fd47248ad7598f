using Arrakis.Native;
using Arrakis.Wire.VhostUser;

namespace Arrakis.SoftDevice.Vhost;

/// <summary>A whole message of a front end. What is not taken out of it is closed with it.</summary>
internal sealed class VhostMessage(VhostUserHeader header, byte[] payload, List<Descriptor> descriptors) : IDisposable
{
    /// <summary>What is asked.</summary>
    public VhostUserRequest Request => header.Request;

    /// <summary>Whether an acknowledgement is wanted.</summary>
    public bool NeedsReply => header.NeedsReply;

    /// <summary>How many descriptors came with it.</summary>
    public int DescriptorCount => descriptors.Count;

    /// <summary>A u64 payload.</summary>
    public ulong ReadNumber()
    {
        Require(payload.Length == sizeof(ulong), "the payload is not a u64");
        return BitConverter.ToUInt64(payload);
    }

    /// <summary>A ring's state.</summary>
    public VringState ReadState()
    {
        Require(VringState.TryRead(payload, out VringState state), "the payload is not a vring state");
        return state;
    }

    /// <summary>A ring's addresses.</summary>
    public VringAddress ReadAddress()
    {
        Require(VringAddress.TryRead(payload, out VringAddress address), "the payload is not a vring address");
        return address;
    }

    /// <summary>A memory table.</summary>
    public ReadOnlySpan<VhostMemoryRegion> ReadMemoryTable()
    {
        var regions = new VhostMemoryRegion[VhostUserHeader.MaxDescriptors];
        Require(VhostMemoryRegion.TryReadTable(payload, regions, out int count), "the payload is not a memory table");
        return regions.AsSpan(0, count);
    }

    /// <summary>The part of the configuration space that is asked for, or written.</summary>
    /// <param name="bytes">What is written, or room.</param>
    public VhostConfigRange ReadConfigRange(out ReadOnlySpan<byte> bytes)
    {
        Require(VhostConfigRange.TryRead(payload, out VhostConfigRange range), "the payload is not a part of the configuration space");
        bytes = payload.AsSpan(VhostConfigRange.HeaderLength);
        return range;
    }

    /// <summary>Checks that there is no payload.</summary>
    public void RequireEmpty() => Require(payload.Length == 0, "there is a payload");

    /// <summary>Checks the number of descriptors.</summary>
    public void RequireDescriptors(int count) =>
        Require(descriptors.Count == count, $"{descriptors.Count} descriptors came, not {count}");

    /// <summary>Takes the descriptors out; they belong to the caller.</summary>
    public Descriptor[] TakeDescriptors()
    {
        Descriptor[] taken = [.. descriptors];
        descriptors.Clear();
        return taken;
    }

    /// <summary>Ends the session where a condition does not hold.</summary>
    /// <exception cref="VhostProtocolException">It does not.</exception>
    public void Require(bool condition, string otherwise)
    {
        if (!condition)
        {
            throw new VhostProtocolException($"{Request}: {otherwise}");
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Descriptor descriptor in descriptors)
        {
            descriptor.Dispose();
        }

        descriptors.Clear();
    }
}
