using System.Buffers.Binary;
using System.IO.Compression;
using HdrHistogram;
using HdrHistogram.Utilities;

namespace Arrakis.TestBed.Device;

/// <summary>Reads the histogram of a tester's result. The library's own reader takes what one read of the decompressor gives for all there is.</summary>
public static class HistogramText
{
    private const int HeaderLength = 8; // cookie, length
    private const int ZlibHeaderLength = 2; // RFC 1950 §2.2

    /// <summary>Decodes it.</summary>
    /// <param name="text">An HdrHistogram, compressed (V2), in base64.</param>
    public static HistogramBase Decode(string text)
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
