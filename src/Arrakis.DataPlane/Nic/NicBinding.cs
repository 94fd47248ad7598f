using Arrakis.Contract;
using Arrakis.DataPlane.Memory;
using Arrakis.DataPlane.Nic;
using Arrakis.Native;
using Arrakis.Wire;

namespace Arrakis;

/// <summary>A bound virtual function of a NIC: rings, packet buffers and addresses that this process uses without a system call.</summary>
public sealed class NicBinding : IAsyncDisposable
{
    private readonly Func<NicBinding, ValueTask> _release;
    private readonly Func<RevocationRequest, NicBinding, ValueTask>? _onRevocationRequested;
    private readonly StatusPageReader _status;

    /// <summary>Takes a grant and its descriptors, of which it becomes the owner.</summary>
    internal NicBinding(
        Grant grant,
        IReadOnlyList<Descriptor> descriptors,
        Func<NicBinding, ValueTask> release,
        Func<RevocationRequest, NicBinding, ValueTask>? onRevocationRequested = null)
    {
        GrantValidation.Check(grant, descriptors);
        Grant = grant;
        _release = release;
        _onRevocationRequested = onRevocationRequested;
        _status = StatusPageReader.Map(grant, descriptors[Grant.StatusDescriptor]);
    }

    /// <summary>What was granted.</summary>
    public Grant Grant { get; }

    /// <summary>IPv4 address and network.</summary>
    public Ipv4Prefix Address => Grant.Address;

    /// <summary>Hardware address.</summary>
    public MacAddress Mac => Grant.Mac;

    /// <summary>Largest IP packet in bytes.</summary>
    public int Mtu => Grant.Mtu;

    /// <summary>The binding's state, as the status page says.</summary>
    public BindingState State => _status.State;

    /// <summary>Whether the link is up, as the status page says.</summary>
    public bool LinkUp => _status.LinkUp;

    /// <summary>What was received, sent and dropped.</summary>
    public NetCounters Counters { get; } = new();

    /// <summary>Throws where the control plane took the binding.</summary>
    /// <exception cref="BindingRevokedException">It did.</exception>
    public void ThrowIfRevoked()
    {
        if (State is BindingState.Revoked or BindingState.Aborted)
        {
            throw new BindingRevokedException(Grant.BindingId, Grant.Generation, State, _status.ReadRepossessionVector());
        }
    }

    /// <summary>Polls the rings on the calling thread until cancelled, and hands received datagrams to the handler.</summary>
    public void Poll(PollOptions options, PacketHandler handler, CancellationToken cancellation = default) => throw new NotSupportedException();

    /// <summary>Looks at the rings once, for a loop of one's own. Returns the frames received.</summary>
    public int PollOnce(PacketHandler handler) => throw new NotSupportedException();

    /// <summary>Stops using the rings, gives the binding back and unmaps its memory.</summary>
    public ValueTask DisposeAsync() => _release(this);
}
