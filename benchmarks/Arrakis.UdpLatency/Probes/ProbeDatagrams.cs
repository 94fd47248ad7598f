namespace Arrakis.UdpLatency.Probes;

/// <summary>The datagrams of a probe: every edge of the sizes first, then random ones, with random contents.</summary>
internal static class ProbeDatagrams
{
    /// <summary>The largest payload that fits an MTU of 1500.</summary>
    public const int MaxLength = 1472;

    private static readonly int[] s_edges = [0, 1, 2, 3, 17, 18, 19, 63, 64, 65, 255, 256, 511, 512, 513, 1023, 1024, 1470, 1471, MaxLength];

    /// <summary>Makes them.</summary>
    public static IEnumerable<byte[]> Generate(int count, int seed)
    {
        var random = new Random(seed);
        for (int i = 0; i < count; i++)
        {
            byte[] datagram = new byte[i < s_edges.Length ? s_edges[i] : random.Next(MaxLength + 1)];
            random.NextBytes(datagram);
            yield return datagram;
        }
    }

    /// <summary>What is wrong with an echo; null where it is the datagram byte by byte.</summary>
    public static string? Compare(ReadOnlySpan<byte> sent, ReadOnlySpan<byte> echo)
    {
        if (sent.Length != echo.Length)
        {
            return $"{sent.Length} bytes were sent, {echo.Length} came back";
        }

        int same = sent.CommonPrefixLength(echo);
        return same == sent.Length ? null : $"byte {same} of {sent.Length} was sent as 0x{sent[same]:x2} and came back as 0x{echo[same]:x2}";
    }
}
