using Arrakis.UdpLatency.Probes;

namespace Arrakis.UdpLatency.Tests;

public sealed class ProbeDatagramsTests
{
    [Fact]
    public void Datagrams_cover_the_smallest_and_the_largest_size_and_are_the_same_for_a_seed()
    {
        byte[][] first = [.. ProbeDatagrams.Generate(300, seed: 1)];
        byte[][] second = [.. ProbeDatagrams.Generate(300, seed: 1)];

        Assert.Equal(first, second);
        Assert.Contains(first, datagram => datagram.Length == 0);
        Assert.Contains(first, datagram => datagram.Length == ProbeDatagrams.MaxLength);
        Assert.All(first, datagram => Assert.InRange(datagram.Length, 0, ProbeDatagrams.MaxLength));
    }

    [Fact]
    public void An_echo_with_other_bytes_or_another_length_is_named()
    {
        Assert.Null(ProbeDatagrams.Compare([1, 2, 3], [1, 2, 3]));
        Assert.Null(ProbeDatagrams.Compare([], []));
        Assert.Equal("3 bytes were sent, 2 came back", ProbeDatagrams.Compare([1, 2, 3], [1, 2]));
        Assert.Equal("byte 1 of 3 was sent as 0x02 and came back as 0x09", ProbeDatagrams.Compare([1, 2, 3], [1, 9, 3]));
    }
}
