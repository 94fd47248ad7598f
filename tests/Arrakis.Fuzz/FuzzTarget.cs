namespace Arrakis.Fuzz;

/// <summary>Something that takes hostile bytes. It throws where an input makes the code under test break a promise.</summary>
internal abstract class FuzzTarget
{
    /// <summary>Its name on the command line.</summary>
    public abstract string Name { get; }

    /// <summary>Valid inputs to start from.</summary>
    public abstract IReadOnlyList<byte[]> Corpus { get; }

    /// <summary>Takes one input.</summary>
    public abstract void Run(ReadOnlySpan<byte> input);

    /// <summary>Fails where a promise does not hold.</summary>
    internal static void Promise(bool holds, string promise)
    {
        if (!holds)
        {
            throw new BrokenPromiseException(promise);
        }
    }
}

/// <summary>The code under test broke a promise.</summary>
internal sealed class BrokenPromiseException(string promise) : Exception($"Not so: {promise}");
