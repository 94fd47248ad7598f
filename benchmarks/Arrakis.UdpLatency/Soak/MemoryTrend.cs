namespace Arrakis.UdpLatency.Soak;

/// <summary>Whether something's memory stays as it is. What a program takes in the first half of a run is not judged: its heap and pools settle then.</summary>
/// <param name="name">Whose memory.</param>
internal sealed class MemoryTrend(string name)
{
    private const double ToleratedShare = 0.05;
    private const double ToleratedBytes = 4 * 1024 * 1024; // A heap's budget moves by some megabytes between collections.
    private readonly List<(double Seconds, double Bytes)> _samples = [];

    public string Name => name;

    public double First => _samples is [] ? 0 : _samples[0].Bytes;

    public double Last => _samples is [] ? 0 : _samples[^1].Bytes;

    /// <summary>Bytes a minute over the second half, by least squares.</summary>
    public double SlopePerMinute
    {
        get
        {
            (double Seconds, double Bytes)[] half = [.. _samples.Skip(_samples.Count / 2)];
            if (half.Length < 2)
            {
                return 0;
            }

            double meanTime = half.Average(static sample => sample.Seconds);
            double meanBytes = half.Average(static sample => sample.Bytes);
            double spread = half.Sum(sample => (sample.Seconds - meanTime) * (sample.Seconds - meanTime));
            return spread == 0 ? 0 : half.Sum(sample => (sample.Seconds - meanTime) * (sample.Bytes - meanBytes)) / spread * 60;
        }
    }

    /// <summary>Whether the last quarter has no more than the second, but for what is tolerated.</summary>
    public bool IsFlat
    {
        get
        {
            int quarter = _samples.Count / 4;
            if (quarter == 0)
            {
                return true;
            }

            double before = _samples.Skip(quarter).Take(quarter).Average(static sample => sample.Bytes);
            double after = _samples.TakeLast(quarter).Average(static sample => sample.Bytes);
            return after <= before * (1 + ToleratedShare) + ToleratedBytes;
        }
    }

    public void Add(double seconds, double bytes) => _samples.Add((seconds, bytes));
}
