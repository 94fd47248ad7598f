using System.Buffers;
using System.Buffers.Text;

namespace Arrakis.Samples.KvStore.Protocol;

/// <summary>What became of the bytes so far.</summary>
internal enum RespResult
{
    /// <summary>All were taken; the command goes on in those to come.</summary>
    Incomplete,

    /// <summary>A command is whole.</summary>
    Command,

    /// <summary>They are no RESP; the connection has to end.</summary>
    Invalid,
}

/// <summary>
/// Takes commands out of a stream: arrays of bulk strings, or lines of words (RESP, "inline commands"). Bytes are copied as they come and
/// never looked at again, so a slow or broken client costs no more than its bytes; how many that are for one command is bounded.
/// </summary>
/// <param name="maxLength">The most bytes of one command's words.</param>
internal sealed class RespParser(int maxLength)
{
    /// <summary>The most words of a command.</summary>
    public const int MaxWords = 64 * 1024;

    /// <summary>The longest line.</summary>
    public const int MaxLine = 64 * 1024;

    private const int MaxNumberLine = 32;

    private readonly byte[] _line = new byte[MaxLine];
    private int _lineLength;
    private int _missing; // Words of the array that are not whole.
    private int _bulk = -1; // Bytes of the word that did not come yet; -1 before its length did.
    private int _announced;

    /// <summary>The command, when one is whole; until the next call.</summary>
    public RespCommand Command { get; } = new();

    /// <summary>What is wrong, as the client is told.</summary>
    public string Error { get; private set; } = "";

    /// <summary>Takes bytes up to the end of a command.</summary>
    /// <param name="bytes">What came; after the call, what is left of it.</param>
    public RespResult Take(ref ReadOnlySequence<byte> bytes)
    {
        if (_missing == 0)
        {
            Command.Clear();
            _announced = 0;
        }

        while (true)
        {
            RespResult result = _bulk >= 0 ? TakeBulk(ref bytes) : TakeLine(ref bytes);
            if (result != RespResult.Command || (_missing == 0 && Command.Count > 0))
            {
                return result;
            }
        }
    }

    // A result of Command says that a part is whole.
    private RespResult TakeLine(ref ReadOnlySequence<byte> bytes)
    {
        var reader = new SequenceReader<byte>(bytes);
        bool isWhole = reader.TryReadTo(out ReadOnlySequence<byte> part, (byte)'\n');
        if (!isWhole)
        {
            part = bytes;
        }

        if (part.Length > _line.Length - _lineLength)
        {
            return Refuse("too big inline request");
        }

        part.CopyTo(_line.AsSpan(_lineLength));
        _lineLength += (int)part.Length;
        bytes = isWhole ? reader.UnreadSequence : bytes.Slice(bytes.End);
        bool isNumber = _missing > 0 || (_lineLength > 0 && _line[0] == (byte)'*');
        if (isNumber && _lineLength > MaxNumberLine)
        {
            return Refuse("too big mbulk count string");
        }

        if (!isWhole)
        {
            return RespResult.Incomplete;
        }

        ReadOnlySpan<byte> line = _line.AsSpan(0, _lineLength);
        _lineLength = 0;
        if (line is [.., (byte)'\r'])
        {
            line = line[..^1];
        }

        return _missing > 0 ? TakeLength(line) : line is [(byte)'*', ..] ? TakeCount(line[1..]) : TakeWords(line);
    }

    private RespResult TakeCount(ReadOnlySpan<byte> number)
    {
        if (!TryParse(number, out long count) || count > MaxWords)
        {
            return Refuse("invalid multibulk length");
        }

        _missing = (int)Math.Max(count, 0); // None is no command, and no mistake.
        return RespResult.Command;
    }

    private RespResult TakeLength(ReadOnlySpan<byte> line)
    {
        if (line is not [(byte)'$', ..])
        {
            return Refuse(line.IsEmpty ? "expected '$'" : $"expected '$', got '{(line[0] is > 0x20 and < 0x7F ? (char)line[0] : '?')}'");
        }

        if (!TryParse(line[1..], out long length) || length < 0 || length > maxLength - _announced)
        {
            return Refuse("invalid bulk length");
        }

        _announced += (int)length;
        _bulk = (int)length;
        Command.Begin();
        return RespResult.Command;
    }

    private RespResult TakeBulk(ref ReadOnlySequence<byte> bytes)
    {
        while (_bulk > 0)
        {
            ReadOnlySpan<byte> some = bytes.FirstSpan;
            if (some.IsEmpty)
            {
                if (bytes.IsEmpty)
                {
                    return RespResult.Incomplete;
                }

                bytes = bytes.Slice(bytes.GetPosition(0)); // An empty segment in front.
                some = bytes.FirstSpan;
            }

            some = some[..Math.Min(some.Length, _bulk)];
            Command.Add(some);
            _bulk -= some.Length;
            bytes = bytes.Slice(some.Length);
        }

        // What follows has to be the end of a line.
        var reader = new SequenceReader<byte>(bytes);
        while (_lineLength < 2)
        {
            if (!reader.TryRead(out byte next))
            {
                bytes = reader.UnreadSequence;
                return RespResult.Incomplete;
            }

            if (next != "\r\n"u8[_lineLength++])
            {
                return Refuse("a bulk string is longer than it says");
            }
        }

        bytes = reader.UnreadSequence;
        _lineLength = 0;
        _bulk = -1;
        _missing--;
        return RespResult.Command;
    }

    private RespResult TakeWords(ReadOnlySpan<byte> line)
    {
        while (true)
        {
            line = line.TrimStart(" \t"u8);
            if (line.IsEmpty)
            {
                return RespResult.Command;
            }

            if (line[0] is (byte)'"' or (byte)'\'')
            {
                int end = line[1..].IndexOf(line[0]);
                if (end < 0 || (end + 2 < line.Length && line[end + 2] is not ((byte)' ' or (byte)'\t')))
                {
                    return Refuse("unbalanced quotes in request");
                }

                AddWord(line.Slice(1, end));
                line = line[(end + 2)..];
            }
            else
            {
                int end = line.IndexOfAny(" \t"u8);
                end = end < 0 ? line.Length : end;
                AddWord(line[..end]);
                line = line[end..];
            }
        }
    }

    private void AddWord(ReadOnlySpan<byte> word)
    {
        Command.Begin();
        Command.Add(word);
    }

    private static bool TryParse(ReadOnlySpan<byte> text, out long number) =>
        Utf8Parser.TryParse(text, out number, out int used) && used == text.Length;

    private RespResult Refuse(string error)
    {
        Error = error;
        return RespResult.Invalid;
    }
}
