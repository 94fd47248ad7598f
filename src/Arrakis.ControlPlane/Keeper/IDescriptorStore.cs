using Arrakis.Native;

namespace Arrakis.ControlPlane.Keeper;

/// <summary>A descriptor and the name that it is kept under.</summary>
internal readonly record struct NamedDescriptor(string Name, Descriptor Descriptor);

/// <summary>
/// Keeps descriptors outside of the daemon, so that they outlive it. A name has one descriptor; the store has copies of
/// its own. What is put is kept from the return of the call on, in the order of the calls.
/// </summary>
internal interface IDescriptorStore : IAsyncDisposable
{
    /// <summary>Shown in the log.</summary>
    string Kind { get; }

    /// <summary>What an earlier daemon left; the caller owns the descriptors. To be called once, first.</summary>
    ValueTask<IReadOnlyDictionary<string, Descriptor>> TakeLeftAsync(CancellationToken cancellation);

    /// <summary>Keeps descriptors; a name that is there already is replaced.</summary>
    ValueTask PutAsync(IReadOnlyList<NamedDescriptor> descriptors);

    /// <summary>Forgets names, in their order.</summary>
    ValueTask RemoveAsync(IReadOnlyList<string> names);

    /// <summary>The daemon ends for good, or leaves what is kept to the next one.</summary>
    ValueTask SayGoodbyeAsync();
}

/// <summary>Keeps nothing: bindings end with the daemon.</summary>
internal sealed class NullDescriptorStore : IDescriptorStore
{
    /// <inheritdoc/>
    public string Kind => "none";

    /// <inheritdoc/>
    public ValueTask<IReadOnlyDictionary<string, Descriptor>> TakeLeftAsync(CancellationToken cancellation) =>
        new(new Dictionary<string, Descriptor>());

    /// <inheritdoc/>
    public ValueTask PutAsync(IReadOnlyList<NamedDescriptor> descriptors) => default;

    /// <inheritdoc/>
    public ValueTask RemoveAsync(IReadOnlyList<string> names) => default;

    /// <inheritdoc/>
    public ValueTask SayGoodbyeAsync() => default;

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => default;
}
