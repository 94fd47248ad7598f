using Arrakis.Contract;
using Arrakis.Native;

namespace Arrakis;

/// <summary>A virtual function of a NIC that this process holds.</summary>
public sealed class NicBinding : IAsyncDisposable
{
    internal NicBinding(Grant grant, IReadOnlyList<Descriptor> descriptors, Func<NicBinding, ValueTask> release, Func<RevocationRequest, NicBinding, ValueTask>? callback)
    {
        Grant = grant;
        _ = descriptors;
        _ = release;
        _ = callback;
    }

    /// <summary>The grant.</summary>
    public Grant Grant { get; }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => default;
}
