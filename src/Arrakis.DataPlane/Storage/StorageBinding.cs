using System.Diagnostics.CodeAnalysis;
using Arrakis.Contract;
using Arrakis.DataPlane.Nic;
using Arrakis.DataPlane.Storage;
using Arrakis.Native;

namespace Arrakis;

/// <summary>
/// A bound storage area: queues and data buffers that this process uses without a system call. Each of its <see cref="Queues"/> is
/// polled by one thread at a time, by a loop of its own or a <see cref="Reactor"/>.
/// </summary>
public sealed class StorageBinding : DeviceBinding
{
    /// <summary>How long a request may take where nothing else is asked for.</summary>
    internal static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(30);

    private readonly Func<StorageBinding, ValueTask> _release;
    private readonly Func<RevocationRequest, StorageBinding, ValueTask>? _onRevocationRequested;
    private readonly BlockQueue[] _queues;

    /// <summary>Takes a grant and its descriptors, of which it becomes the owner, also where it throws.</summary>
    /// <param name="grant">The grant.</param>
    /// <param name="descriptors">What came with it.</param>
    /// <param name="release">Gives the binding back.</param>
    /// <param name="onRevocationRequested">Called when the binding is asked back.</param>
    /// <param name="timeout">How long a request may take; null takes half a minute.</param>
    /// <param name="time">The clock; null takes the system's.</param>
    /// <param name="isDevice">Whether a descriptor whose link in /proc is this one is a device's; null takes VFIO's only.</param>
    /// <exception cref="InvalidGrantException">The grant does not fit its descriptors, or this data plane cannot run it.</exception>
    internal StorageBinding(
        StorageGrant grant,
        IReadOnlyList<Descriptor> descriptors,
        Func<StorageBinding, ValueTask> release,
        Func<RevocationRequest, StorageBinding, ValueTask>? onRevocationRequested = null,
        TimeSpan? timeout = null,
        TimeProvider? time = null,
        Predicate<string?>? isDevice = null)
        : base(grant, new BindingMemory(grant, descriptors, () => StorageGrantValidation.Check(grant, descriptors, isDevice ?? GrantValidation.IsVfioDevice)), time)
    {
        Grant = grant;
        _release = release;
        _onRevocationRequested = onRevocationRequested;
        _queues = MakeQueues(grant.Queues.Count, i => new BlockQueue(this, i, timeout ?? DefaultTimeout));
    }

    /// <summary>What was granted.</summary>
    public StorageGrant Grant { get; }

    /// <summary>Its queues, as many as were asked for. A request is completed by the poller of the queue that it was asked of.</summary>
    public IReadOnlyList<BlockQueue> Queues => _queues;

    /// <summary>The area, through the only queue.</summary>
    /// <exception cref="InvalidOperationException">There are several; each of <see cref="Queues"/> has the area.</exception>
    public IStorageArea Area => Only.Area;

    /// <summary>The only queue.</summary>
    /// <exception cref="InvalidOperationException">There are several.</exception>
    internal BlockQueue Only => _queues.Length == 1 ? _queues[0] : ThrowSeveral();

    private protected override bool WantsToBeAsked => _onRevocationRequested is not null;

    private protected override ValueTask AskBackAsync(RevocationRequest request) => _onRevocationRequested!(request, this);

    private protected override ValueTask ReleaseAsync() => _release(this);

    [DoesNotReturn]
    private BlockQueue ThrowSeveral() =>
        throw new InvalidOperationException($"The binding has {_queues.Length} queues: poll each of StorageBinding.Queues, with a thread or a reactor of its own.");
}
