using Arrakis.Native.Threads;

namespace Arrakis;

/// <summary>Keeps the calling thread on a core for a while.</summary>
internal readonly struct CorePlacement : IDisposable
{
    private readonly IReadOnlyList<int>? _before;

    private CorePlacement(IReadOnlyList<int> before) => _before = before;

    /// <summary>Moves the calling thread to a core; null leaves it where it is.</summary>
    public static CorePlacement Enter(int? core)
    {
        if (core is not { } wanted)
        {
            return default;
        }

        var placement = new CorePlacement(PinnedThread.AllowedCores());
        PinnedThread.Pin(wanted);
        return placement;
    }

    /// <summary>Lets the thread use the cores that it could use before.</summary>
    public void Dispose()
    {
        if (_before is not null)
        {
            PinnedThread.Allow(_before);
        }
    }
}
