using System.Diagnostics;
using Arrakis.Native.Threads;

namespace Arrakis.Measuring.Machine;

/// <summary>
/// How long a cache line takes from one core to another and back. On a virtual machine that is not a constant: it changes by a
/// factor of five while the host moves virtual cores about, and with it everything that two cores do together.
/// </summary>
public static class CacheLineProbe
{
    private const int Lots = 20;
    private const int RoundTripsPerLot = 500;
    private const int Stride = 16; // In longs: two cache lines, as processors fetch them in pairs.

    /// <summary>
    /// Nanoseconds there and back. The shortest of some lots: who else polls on these cores gets time slices in between, each of
    /// which is longer than a lot.
    /// </summary>
    public static double Measure(int here, int there)
    {
        long[] lines = new long[3 * Stride];
        const int Ask = Stride;
        const int Answer = 2 * Stride;
        double[] lots = new double[Lots];
        const long Last = (long)Lots * RoundTripsPerLot;
        var echo = new Thread(() =>
        {
            PinnedThread.Pin(there);
            for (long i = 1; i <= Last; i++)
            {
                while (Volatile.Read(ref lines[Ask]) != i)
                {
                }

                Volatile.Write(ref lines[Answer], i);
            }
        });
        var asker = new Thread(() =>
        {
            PinnedThread.Pin(here);
            long i = 0;
            for (int lot = 0; lot < Lots; lot++)
            {
                long start = Stopwatch.GetTimestamp();
                for (int trip = 0; trip < RoundTripsPerLot; trip++)
                {
                    Volatile.Write(ref lines[Ask], ++i);
                    while (Volatile.Read(ref lines[Answer]) != i)
                    {
                    }
                }

                lots[lot] = Stopwatch.GetElapsedTime(start).TotalNanoseconds / RoundTripsPerLot;
            }
        });
        echo.Start();
        asker.Start();
        asker.Join();
        echo.Join();
        return lots.Min();
    }
}
