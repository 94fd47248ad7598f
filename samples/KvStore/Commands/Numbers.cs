using System.Buffers.Text;
using Arrakis.Samples.KvStore.Protocol;

namespace Arrakis.Samples.KvStore.Commands;

/// <summary>Numbers in words.</summary>
internal static class Numbers
{
    /// <summary>Parses a 64-bit number that fills the word.</summary>
    public static bool TryParse(ReadOnlySpan<byte> word, out long number) =>
        Utf8Parser.TryParse(word, out number, out int used) && used == word.Length && word is not [(byte)'+', ..];

    /// <summary>The time that is so far from now, in milliseconds of Unix time. False where it is no number, or out of bounds; then that is replied.</summary>
    public static bool TryParseExpiry(Session session, ReadOnlySpan<byte> word, long unit, bool isAbsolute, string command, out long expiresAt)
    {
        expiresAt = 0;
        if (!TryParse(word, out long number))
        {
            session.Reply.Error("ERR value is not an integer or out of range");
            return false;
        }

        if (number > long.MaxValue / unit - session.Now || number < long.MinValue / unit + session.Now)
        {
            session.Reply.Error($"ERR invalid expire time in '{command}' command");
            return false;
        }

        expiresAt = number * unit + (isAbsolute ? 0 : session.Now);
        return true;
    }

    /// <summary>Replies that something is no number.</summary>
    public static void Refuse(RespWriter reply) => reply.Error("ERR value is not an integer or out of range");
}
