using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace Arrakis.Samples.KvStore.Protocol;

/// <summary>Writes replies: RESP2, and where a client has asked for it RESP3's own types.</summary>
internal sealed class RespWriter(IBufferWriter<byte> output)
{
    /// <summary>2 or 3.</summary>
    public int Version { get; set; } = 2;

    public void Ok() => output.Write("+OK\r\n"u8);

    public void Simple(ReadOnlySpan<byte> text)
    {
        output.Write("+"u8);
        output.Write(text);
        output.Write("\r\n"u8);
    }

    /// <summary>An error: a word in capitals, and what is wrong.</summary>
    public void Error(string text)
    {
        output.Write("-"u8);
        output.Write(Encoding.UTF8.GetBytes(text.ReplaceLineEndings(" ")));
        output.Write("\r\n"u8);
    }

    public void Number(long value) => Prefixed((byte)':', value);

    public void Null() => output.Write(Version == 3 ? "_\r\n"u8 : "$-1\r\n"u8);

    public void Bulk(ReadOnlySpan<byte> bytes)
    {
        Prefixed((byte)'$', bytes.Length);
        output.Write(bytes);
        output.Write("\r\n"u8);
    }

    public void Bulk(string text) => Bulk(Encoding.UTF8.GetBytes(text));

    /// <summary>Begins an array of so many elements.</summary>
    public void Array(int count) => Prefixed((byte)'*', count);

    /// <summary>Begins a map of so many pairs; in RESP2 an array of twice as many.</summary>
    public void Map(int pairs) => Prefixed(Version == 3 ? (byte)'%' : (byte)'*', Version == 3 ? pairs : 2 * pairs);

    private void Prefixed(byte prefix, long number)
    {
        Span<byte> line = output.GetSpan(24);
        line[0] = prefix;
        _ = Utf8Formatter.TryFormat(number, line[1..], out int length);
        line[length + 1] = (byte)'\r';
        line[length + 2] = (byte)'\n';
        output.Advance(length + 3);
    }
}
