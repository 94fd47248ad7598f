using System.Buffers.Binary;
using System.IO.Compression;
using Arrakis.Contract.Control;
using HdrHistogram;
using HdrHistogram.Iteration;
using HdrHistogram.Utilities;

namespace Arrakis.Ctl.Load;

/// <summary>The round trips of one test, or of several together.</summary>
internal sealed class RoundTrips
{
    private const int HeaderLength = 8; // cookie, length; of the compressed form
    private const int ZlibHeaderLength = 2; // RFC 1950 §2.2
    private const int TicksPerHalfDistance = 5;
    private const double NanosecondsPerMicrosecond = 1000;

    private readonly LongHistogram _times = new(1, 60_000_000_000, 3);

    /// <summary>Adds those of a test.</summary>
    internal void Add(TestResult result)
    {
        if (result.Histogram is { } text)
        {
            _times.Add(Decode(text));
        }
    }

    /// <summary>A percentile in microseconds; zero where there was no reply.</summary>
    internal double Percentile(double percentile) =>
        _times.TotalCount == 0 ? 0 : Math.Round(_times.GetValueAtPercentile(percentile) / NanosecondsPerMicrosecond, 3);

    /// <summary>The distribution up to the longest, finer towards the tail.</summary>
    internal IReadOnlyList<PercentilePoint> Distribution()
    {
        List<PercentilePoint> points = [];
        if (_times.TotalCount > 0)
        {
            foreach (HistogramIterationValue value in _times.Percentiles(TicksPerHalfDistance))
            {
                points.Add(new PercentilePoint(value.PercentileLevelIteratedTo, Math.Round(value.ValueIteratedTo / NanosecondsPerMicrosecond, 3)));
            }
        }

        return points;
    }

    // The library's own reader of the compressed form takes what one read of the decompressor gives for all there is.
    private static HistogramBase Decode(string text)
    {
        byte[] encoded = Convert.FromBase64String(text);
        int length = BinaryPrimitives.ReadInt32BigEndian(encoded.AsSpan(4));
        using var compressed = new MemoryStream(encoded, HeaderLength + ZlibHeaderLength, length - ZlibHeaderLength);
        using var decompressor = new DeflateStream(compressed, CompressionMode.Decompress);
        using var plain = new MemoryStream();
        decompressor.CopyTo(plain);
        return HistogramEncoding.DecodeFromByteBuffer(ByteBuffer.Allocate(plain.ToArray()), 0);
    }
}
