using Arrakis.ControlPlane.Keeper;
using Arrakis.Native;

namespace Arrakis.ControlPlane.Tests.Support;

/// <summary>A descriptor store in this process: what a killed daemon would leave.</summary>
internal sealed class MemoryStore : IDescriptorStore
{
    private readonly Dictionary<string, Descriptor> _kept = [];

    /// <summary>Holds the calls back until it completes.</summary>
    internal Task Gate { get; set; } = Task.CompletedTask;

    /// <summary>Completes at the first call that is held back.</summary>
    internal TaskCompletionSource Reached { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Calls with such a name wait at the gate.</summary>
    internal string? GatedPart { get; set; }

    internal IReadOnlyList<string> Names
    {
        get
        {
            lock (_kept)
            {
                return [.. _kept.Keys.Order(StringComparer.Ordinal)];
            }
        }
    }

    public string Kind => "memory";

    public ValueTask<IReadOnlyDictionary<string, Descriptor>> TakeLeftAsync(CancellationToken cancellation)
    {
        lock (_kept)
        {
            return new(_kept.ToDictionary(static entry => entry.Key, static entry => entry.Value.Duplicate()));
        }
    }

    public async ValueTask PutAsync(IReadOnlyList<NamedDescriptor> descriptors)
    {
        if (GatedPart is { } part && descriptors.Any(entry => entry.Name.EndsWith(part, StringComparison.Ordinal)))
        {
            _ = Reached.TrySetResult();
            await Gate;
        }

        lock (_kept)
        {
            foreach ((string name, Descriptor descriptor) in descriptors)
            {
                _kept.GetValueOrDefault(name)?.Dispose();
                _kept[name] = descriptor.Duplicate();
            }
        }
    }

    public ValueTask RemoveAsync(IReadOnlyList<string> names)
    {
        lock (_kept)
        {
            foreach (string name in names)
            {
                if (_kept.Remove(name, out Descriptor? old))
                {
                    old.Dispose();
                }
            }
        }

        return default;
    }

    public ValueTask SayGoodbyeAsync() => default;

    public ValueTask DisposeAsync()
    {
        lock (_kept)
        {
            foreach (Descriptor descriptor in _kept.Values)
            {
                descriptor.Dispose();
            }

            _kept.Clear();
        }

        return default;
    }
}
