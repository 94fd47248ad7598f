using System.Diagnostics;
using Arrakis.Fuzz.Targets;

namespace Arrakis.Fuzz;

/// <summary>Runs targets over mutated inputs.</summary>
internal static class Campaign
{
    /// <summary>Makes all targets.</summary>
    public static FuzzTarget[] Targets() =>
    [
        new FrameTarget(),
        new ControlRequestTarget(),
        new ControlReplyTarget(),
        new DeviceRequestTarget(),
        new DeviceReplyTarget(),
        new VhostTarget(),
        new DeviceRingTarget(),
        new DriverRingTarget(),
        new IgbRingTarget(),
        new NvmeTarget(),
        new BlockRingTarget(),
        new BlockDeviceTarget(),
        new CatalogueTarget(),
        new AreaFileTarget(),
        new LogImageTarget(),
        new RespTarget(),
    ];

    /// <summary>Runs the corpus and so many mutated inputs. An input that breaks a promise is named by seed and number.</summary>
    public static void Run(FuzzTarget target, int seed, long iterations) => Run(target, seed, iterations, TimeSpan.MaxValue);

    /// <summary>Runs until so many inputs or so much time is over. Returns the number of inputs.</summary>
    /// <exception cref="FuzzFailureException">An input broke a promise.</exception>
    public static long Run(FuzzTarget target, int seed, long iterations, TimeSpan limit)
    {
        foreach (byte[] valid in target.Corpus)
        {
            Try(target, valid, seed, -1);
        }

        var mutator = new Mutator(seed, target.Corpus);
        long start = Stopwatch.GetTimestamp();
        long done = 0;
        while (done < iterations && (done % 256 != 0 || Stopwatch.GetElapsedTime(start) < limit))
        {
            Try(target, mutator.Next(), seed, done++);
        }

        return done;
    }

    private static void Try(FuzzTarget target, byte[] input, int seed, long number)
    {
        try
        {
            target.Run(input);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw new FuzzFailureException($"{target.Name}, seed {seed}, input {number}: {e.GetType().Name}: {e.Message}", input, e);
        }
    }
}

/// <summary>An input that breaks a promise.</summary>
internal sealed class FuzzFailureException(string message, byte[] input, Exception cause) : Exception(message, cause)
{
    /// <summary>The input.</summary>
    public byte[] Input => input;
}
