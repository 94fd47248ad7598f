using Arrakis.Contract.Control;
using HdrHistogram;
using HdrHistogram.Utilities;

namespace Arrakis.SoftDevice.Ports.Tester;

/// <summary>The round trips of a test. Recording allocates nothing.</summary>
internal sealed class RoundTripRecorder
{
    private const long Longest = 60_000_000_000;
    private const int Digits = 3;
    private const int LongestText = 40 * 1024; // leaves room for the rest of a message

    private readonly LongHistogram _times = new(1, Longest, Digits);

    /// <summary>Notes a round trip in nanoseconds.</summary>
    public void Record(long nanoseconds) => _times.RecordValue(Math.Clamp(nanoseconds, 1, Longest));

    /// <summary>The percentiles that every result has.</summary>
    public RoundTripPercentiles Percentiles() => new(Percentile(50), Percentile(99), Percentile(99.9), Percentile(99.99), Percentile(100));

    /// <summary>All of them as text that fits a message: with fewer digits where they are too widely spread; null where there are none.</summary>
    public string? Encode()
    {
        if (_times.TotalCount == 0)
        {
            return null;
        }

        HistogramBase times = _times;
        for (int digits = Digits; ; digits--)
        {
            string text = ToText(times);
            if (text.Length <= LongestText || digits == 1)
            {
                return text;
            }

            times = new LongHistogram(1, Longest, digits - 1);
            foreach (HdrHistogram.Iteration.HistogramIterationValue value in _times.RecordedValues())
            {
                times.RecordValueWithCount(value.ValueIteratedTo, value.CountAtValueIteratedTo);
            }
        }
    }

    private static string ToText(HistogramBase times)
    {
        var buffer = ByteBuffer.Allocate(times.GetNeededByteBufferCapacity());
        byte[] encoded = new byte[times.EncodeIntoCompressedByteBuffer(buffer)];
        buffer.Position = 0;
        for (int i = 0; i < encoded.Length; i++)
        {
            encoded[i] = buffer.Get();
        }

        return Convert.ToBase64String(encoded);
    }

    private long Percentile(double percentile) => _times.TotalCount == 0 ? 0 : _times.GetValueAtPercentile(percentile);
}
