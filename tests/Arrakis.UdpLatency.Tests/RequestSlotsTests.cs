using Arrakis.UdpLatency.Kernel;

namespace Arrakis.UdpLatency.Tests;

public sealed class RequestSlotsTests
{
    [Fact]
    public void An_echo_of_any_request_under_way_matches_its_slot()
    {
        var slots = new RequestSlots(count: 3, payloadLength: 32);
        byte[][] echoes = [.. Enumerable.Range(0, 3).Select(slot => slots.Next(slot, now: 100 + slot).ToArray())];

        for (int expected = 2; expected >= 0; expected--)
        {
            Assert.Equal(ReplyMatch.Exact, slots.Match(echoes[expected], out int slot));
            Assert.Equal(expected, slot);
            Assert.Equal(100 + expected, slots.SentAt(slot));
        }
    }

    [Fact]
    public void A_single_wrong_byte_anywhere_is_seen()
    {
        var slots = new RequestSlots(count: 1, payloadLength: 48);
        byte[] echo = [.. slots.Next(0, now: 1)];
        for (int at = 8; at < echo.Length; at++)
        {
            echo[at] ^= 0x40;
            Assert.Equal(ReplyMatch.Corrupt, slots.Match(echo, out _));
            echo[at] ^= 0x40;
        }
    }

    [Fact]
    public void A_reply_of_another_length_is_corrupt()
    {
        var slots = new RequestSlots(count: 1, payloadLength: 32);
        byte[] echo = [.. slots.Next(0, now: 1)];

        Assert.Equal(ReplyMatch.Corrupt, slots.Match(echo.AsSpan(0, 31), out _));
        Assert.Equal(ReplyMatch.Corrupt, slots.Match([], out _));
    }

    [Fact]
    public void An_echo_of_a_request_that_was_sent_anew_is_late_not_corrupt()
    {
        var slots = new RequestSlots(count: 2, payloadLength: 16);
        byte[] first = [.. slots.Next(1, now: 1)];
        _ = slots.Next(1, now: 2);

        Assert.Equal(ReplyMatch.Late, slots.Match(first, out _));
    }
}
