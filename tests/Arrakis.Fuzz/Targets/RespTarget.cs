using System.Buffers;
using Arrakis.Samples.KvStore.Protocol;

namespace Arrakis.Fuzz.Targets;

/// <summary>The Redis protocol's parser of the key-value sample against a client. The first byte says how the rest is cut.</summary>
internal sealed class RespTarget : FuzzTarget
{
    private const int MaxLength = 1_000;

    public override string Name => "resp";

    public override IReadOnlyList<byte[]> Corpus { get; } =
    [
        [3, .. "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5\r\nhello\r\n*1\r\n$4\r\nPING\r\n"u8],
        [1, .. "GET a\r\nECHO 'two words'\r\n\r\nSET \"x y\" z\r\n"u8],
        [200, .. "*0\r\n*2\r\n$4\r\nECHO\r\n$0\r\n\r\n*2\r\n$3\r\nGET\r\n$600\r\n"u8, .. new byte[600], .. "\r\n"u8],
    ];

    public override void Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty)
        {
            return;
        }

        byte[] bytes = input[1..].ToArray();
        string whole = Parse(bytes, bytes.Length + 1);
        string parts = Parse(bytes, input[0] + 1);
        Promise(whole == parts, "commands and errors are the same however the bytes are cut");
    }

    private static string Parse(byte[] bytes, int size)
    {
        var parser = new RespParser(MaxLength);
        var log = new System.Text.StringBuilder();
        for (int at = 0; at < bytes.Length; at += size)
        {
            var rest = new ReadOnlySequence<byte>(bytes, at, Math.Min(size, bytes.Length - at));
            RespResult result;
            do
            {
                result = parser.Take(ref rest);
                if (result == RespResult.Command)
                {
                    RespCommand command = parser.Command;
                    Promise(command.Count > 0, "a command has a name");
                    Promise(command.Length <= Math.Max(MaxLength, RespParser.MaxLine), "a command is no longer than allowed");
                    for (int i = 0; i < command.Count; i++)
                    {
                        log.Append(Convert.ToHexString(command[i])).Append(' ');
                    }

                    log.Append(';');
                }
            }
            while (result == RespResult.Command);
            if (result == RespResult.Invalid)
            {
                Promise(parser.Error.Length > 0, "an error has words");
                return log.Append(parser.Error).ToString();
            }

            Promise(rest.IsEmpty, "an incomplete command has taken all bytes");
        }

        return log.ToString();
    }
}
