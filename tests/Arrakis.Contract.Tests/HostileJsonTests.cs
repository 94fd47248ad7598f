using System.Text;
using Arrakis.Contract.Json;
using CsCheck;

namespace Arrakis.Contract.Tests;

/// <summary>Whatever comes, decoding gives a message or <see cref="ErrorCode.MalformedMessage"/>, and nothing else.</summary>
public sealed class HostileJsonTests
{
    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("17")]
    [InlineData("\"hello\"")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"type\":\"hello\",\"version\":1}")] // required member missing
    [InlineData("{\"id\":1,\"version\":1}")] // no discriminator
    [InlineData("{\"id\":1,\"version\":1,\"type\":\"hello\"}")] // discriminator not first
    [InlineData("{\"type\":\"nonsense\",\"id\":1}")]
    [InlineData("{\"type\":null,\"id\":1}")]
    [InlineData("{\"type\":1,\"id\":1}")]
    [InlineData("{\"type\":\"hello\",\"type\":\"hello\",\"id\":1,\"version\":1}")]
    [InlineData("{\"type\":\"hello\",\"id\":1,\"version\":1,\"version\":1}")] // repeated
    [InlineData("{\"type\":\"hello\",\"id\":1,\"version\":1,\"more\":1}")] // unknown
    [InlineData("{\"type\":\"hello\",\"id\":1,\"Version\":1}")] // case matters
    [InlineData("{\"type\":\"hello\",\"id\":-1,\"version\":1}")]
    [InlineData("{\"type\":\"hello\",\"id\":1.5,\"version\":1}")]
    [InlineData("{\"type\":\"hello\",\"id\":18446744073709551616,\"version\":1}")]
    [InlineData("{\"type\":\"hello\",\"id\":1,\"version\":1e400}")]
    [InlineData("{\"type\":\"hello\",\"id\":1,\"version\":null}")]
    [InlineData("{\"type\":\"hello\",\"id\":\"1\",\"version\":1}")]
    [InlineData("{\"type\":\"hello\",\"id\":1,\"version\":1}{}")] // more than one
    [InlineData("{\"type\":\"hello\",\"id\":1,\"version\":1,}")]
    [InlineData("{\"type\":\"hello\",/**/\"id\":1,\"version\":1}")]
    [InlineData("{\"$type\":\"hello\",\"id\":1,\"version\":1}")]
    [InlineData("{\"$ref\":\"1\"}")]
    [InlineData("{\"type\":\"bind-nic\",\"id\":1,\"filter\":null}")]
    [InlineData("{\"type\":\"bind-nic\",\"id\":1,\"filter\":[null]}")]
    [InlineData("{\"type\":\"bind-nic\",\"id\":1,\"filter\":[{\"direction\":99}]}")]
    [InlineData("{\"type\":\"bind-nic\",\"id\":1,\"filter\":[{\"direction\":\"99\"}]}")]
    [InlineData("{\"type\":\"bind-nic\",\"id\":1,\"filter\":[{\"protocol\":\"Udp, Tcp\"}]}")]
    [InlineData("{\"type\":\"bind-nic\",\"id\":1,\"filter\":[{\"localPort\":65536}]}")]
    [InlineData("{\"type\":\"bind-nic\",\"id\":1,\"mac\":\"\"}")]
    [InlineData("{\"type\":\"bind-nic\",\"id\":1,\"mac\":17}")]
    [InlineData("{\"type\":\"bind-nic\",\"id\":1,\"address\":\"10.7.0.2\"}")]
    [InlineData("{\"type\":\"bind-nic\",\"id\":1,\"queueSize\":9223372036854775807}")]
    [InlineData("{\"type\":\"bind-nic\",\"id\":1,\"rate\":{\"bitsPerSecond\":1}}")]
    [InlineData("{\"type\":\"bind-nic\",\"id\":1,\"device\":\"\\ud800\"}")] // lone surrogate
    [InlineData("{\"type\":\"revoke\",\"id\":1,\"bindingId\":1,\"mode\":1}")]
    [InlineData("{\"type\":\"revoke\",\"id\":1,\"bindingId\":1,\"mode\":\"Invisible,Visible\"}")]
    [InlineData("{\"type\":\"revoke\",\"id\":1,\"bindingId\":1,\"mode\":\"\"}")]
    public void A_request_against_the_rules_is_malformed(string json) =>
        AssertMalformed(Encoding.UTF8.GetBytes(json), packet => MessageCodec.DecodeRequest(packet));

    [Theory]
    [InlineData("{\"type\":\"bindings\",\"id\":1,\"bindings\":[null]}")]
    [InlineData("{\"type\":\"devices\",\"id\":1,\"devices\":[null]}")]
    [InlineData("{\"type\":\"error\",\"id\":1,\"code\":\"NoSuchCode\",\"cause\":\"\",\"remedy\":\"\"}")]
    [InlineData("{\"type\":\"error\",\"id\":1,\"code\":\"Internal\",\"cause\":null,\"remedy\":\"\"}")]
    public void A_reply_against_the_rules_is_malformed(string json) =>
        AssertMalformed(Encoding.UTF8.GetBytes(json), packet => MessageCodec.DecodeReply(packet));

    [Theory]
    [InlineData("{\"type\":\"configure-port\",\"id\":1,\"port\":0,\"mac\":\"52:54:00:00:00:01\",\"address\":\"10.0.0.1\",\"filter\":[null]}")]
    [InlineData("{\"type\":\"hello\",\"id\":1,\"version\":1}")]
    public void A_device_request_against_the_rules_is_malformed(string json) =>
        AssertMalformed(Encoding.UTF8.GetBytes(json), packet => MessageCodec.DecodeDeviceRequest(packet));

    [Theory]
    [InlineData("{\"type\":\"counters\",\"id\":1,\"ports\":{\"vf0\":null}}")]
    [InlineData("{\"type\":\"counters\",\"id\":1,\"ports\":{\"vf0\":{\"drops\":null}}}")]
    [InlineData("{\"type\":\"block-counters\",\"id\":1,\"functions\":[null]}")]
    [InlineData("{\"type\":\"block-counters\",\"id\":1,\"functions\":[{\"refusals\":null}]}")]
    public void A_null_counter_is_malformed(string json) =>
        AssertMalformed(Encoding.UTF8.GetBytes(json), packet => MessageCodec.DecodeDeviceReply(packet));

    [Theory]
    [InlineData('[', ']')]
    [InlineData('{', '}')]
    public void Deep_nesting_is_malformed_and_no_stack_overflow(char open, char close)
    {
        string nested = open == '['
            ? new string(open, 30_000) + new string(close, 30_000)
            : string.Concat(Enumerable.Repeat("{\"a\":", 10_000)) + "1" + new string(close, 10_000);
        AssertMalformed(Encoding.ASCII.GetBytes(nested), packet => MessageCodec.DecodeRequest(packet));
        AssertMalformed(Encoding.ASCII.GetBytes("{\"type\":\"bind-nic\",\"id\":1,\"filter\":" + nested + "}"), packet => MessageCodec.DecodeRequest(packet));
    }

    [Fact]
    public void Invalid_utf8_is_malformed()
    {
        byte[] packet = "{\"type\":\"bind-nic\",\"id\":1,\"device\":\"??\"}"u8.ToArray();
        int at = packet.AsSpan().IndexOf((byte)'?');
        foreach ((byte first, byte second) in new (byte, byte)[] { (0xC0, 0x80), (0xFF, 0xFE), (0xE2, 0x28), (0x80, 0x80), (0xED, 0xA0) })
        {
            packet[at] = first;
            packet[at + 1] = second;
            AssertMalformed(packet, bytes => MessageCodec.DecodeRequest(bytes));
        }

        AssertMalformed([0xEF, 0xBB, 0xBF, .. MessageCodec.Encode(Samples.Requests[0])], bytes => MessageCodec.DecodeRequest(bytes));
    }

    [Fact]
    public void The_error_says_where_the_fault_is()
    {
        ArrakisException error = Assert.Throws<ArrakisException>(() => MessageCodec.DecodeRequest("""{"type":"hello","id":1,"version":"x"}"""u8));
        Assert.Contains("$.version", error.Cause, StringComparison.Ordinal);
        Assert.NotEmpty(error.Remedy);
    }

    [Fact]
    public void Random_bytes_are_malformed() =>
        Gen.Byte.Array[0, 200].Sample(DecodeAll, seed: Samples.Seed, iter: 5_000);

    [Fact]
    public void Cut_messages_are_malformed()
    {
        foreach (byte[] packet in Corpus())
        {
            for (int length = 0; length < packet.Length; length++)
            {
                DecodeAll(packet[..length]);
                AssertMalformed(packet[..length], bytes => MessageCodec.DecodeRequest(bytes));
            }
        }
    }

    [Fact]
    public void Mutated_messages_are_read_or_malformed()
    {
        byte[][] corpus = Corpus();
        Gen.Select(Gen.Int[0, corpus.Length - 1], Gen.Select(Gen.Int[0, 2000], Gen.OneOf(Gen.Byte, Gen.Char["{}[]\",:0123456789.-eE\\ntfu"].Select(c => (byte)c)), Gen.Int[0, 2]).Array[1, 6]).Sample(
            (which, changes) =>
            {
                List<byte> packet = [.. corpus[which]];
                foreach ((int offset, byte value, int kind) in changes)
                {
                    int at = offset % packet.Count;
                    switch (kind)
                    {
                        case 0: packet[at] = value; break;
                        case 1: packet.Insert(at, value); break;
                        default: packet.RemoveRange(at, Math.Min(packet.Count - at - (at == 0 ? 1 : 0), value % 16)); break;
                    }
                }

                DecodeAll([.. packet]);
            },
            seed: Samples.Seed,
            iter: 20_000);
    }

    private static byte[][] Corpus() =>
    [
        .. Samples.Requests.Select(MessageCodec.Encode),
        .. Samples.Replies.Select(MessageCodec.Encode),
        .. Samples.DeviceRequests.Select(MessageCodec.Encode),
        .. Samples.DeviceReplies.Select(MessageCodec.Encode),
    ];

    private static void DecodeAll(byte[] packet)
    {
        ReadOrMalformed(packet, bytes => MessageCodec.DecodeRequest(bytes));
        ReadOrMalformed(packet, bytes => MessageCodec.DecodeReply(bytes));
        ReadOrMalformed(packet, bytes => MessageCodec.DecodeDeviceRequest(bytes));
        ReadOrMalformed(packet, bytes => MessageCodec.DecodeDeviceReply(bytes));
    }

    private static void ReadOrMalformed(byte[] packet, Action<byte[]> decode)
    {
        try
        {
            decode(packet);
        }
        catch (ArrakisException e) when (e.Code == ErrorCode.MalformedMessage)
        {
        }
    }

    private static void AssertMalformed(byte[] packet, Action<byte[]> decode) =>
        Assert.Equal(ErrorCode.MalformedMessage, Assert.Throws<ArrakisException>(() => decode(packet)).Code);
}
